// What the tests of this page ask it: the stepper's sums beside the stored numbers.
import type { State } from "./state";

export interface Sum {
  sum: number;
  stored: number | null;
}

const pick = (found: Sum | null): Sum | null => (found ? { sum: found.sum, stored: found.stored } : null);

export const asked = (state: State) => ({
  convolution: (i: number, n: number, f: number, y: number, x: number) => pick(state.convolution(i).products(n, f, y, x)),
  weightGradient: (i: number, f: number, c: number, ky: number, kx: number) => pick(state.convolution(i).ofWeight(f, c, ky, kx)),
  inputGradient: (i: number, n: number, c: number, y: number, x: number) => pick(state.convolution(i).ofInput(n, c, y, x)),
  /// The sizes from which a choice is drawn.
  convolutions: () =>
    state.report.convolutions.map((_, i) => {
      const { batch, inputs, height, width, filters, slice, kernelHeight, kernelWidth, outHeight, outWidth } = state.convolution(i);
      return { batch, inputs, height, width, filters, slice, kernelHeight, kernelWidth, outHeight, outWidth };
    }),
});
