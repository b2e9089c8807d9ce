// A 1×1 convolution is a matrix over the channels, applied at each pixel. A larger kernel is the sum of such matrices, one
// for each of its places: choose the place.
import { largest } from "../arrays";
import { Cells } from "../cells";
import { h, note } from "../dom";
import { number } from "../format";
import { Plane } from "../plane";
import { bounds, part, range, then, verdict, type Bench } from "./bench";
import type { Steps } from "./forward";

export function pointwise(bench: Bench): Steps {
  const { convolution, choices } = bench;
  const { kernelHeight, kernelWidth, slice } = convolution;
  const bound = bounds(bench);
  const filters = convolution.filters / convolution.data.groups;
  const firstFilter = Math.floor(choices.f / filters) * filters;
  const matrix = new Plane({ label: "the matrix over channels", height: filters, width: slice, size: 260 });
  const channels = new Plane({ label: "the channels at this pixel", height: slice, width: 1, size: 260 });
  const places = new Cells("what each place of the kernel adds", kernelHeight, kernelWidth, (ky, kx) => {
    Object.assign(choices, { ky, kx });
    update();
  });
  const said = h("p", { class: "running" });
  const result = h("div");
  const update = () => {
    const { ky, kx } = choices;
    const output = convolution.products(choices.sample, choices.f, choices.y, choices.x)!;
    const place = ky * kernelWidth + kx;
    const weights = range(filters * slice).map((i) => convolution.weight![convolution.weightIndex(firstFilter + Math.floor(i / slice), i % slice, ky, kx)]);
    matrix.paint(weights, 0, largest(convolution.weight!));
    matrix.mark([{ kind: "window", y: choices.f - firstFilter, x: 0, width: slice }]);
    channels.paint(output.channels.map((channel) => channel.window[place]), 0, bound.input);
    const sums = range(kernelHeight * kernelWidth).map((i) => output.channels.reduce((sum, channel) => sum + channel.products[i], 0));
    places.show(sums, largest(Float64Array.from(sums)), { chosen: place });
    said.textContent = `Row ${choices.f} of the matrix times the ${slice} channels: ${number(sums[place], 6)}`;
    result.replaceChildren(verdict(convolution.isPointwise ? "row · channels + bias" : "Σ over places + bias", output.sum, output.stored));
  };
  const element = h(
    "div",
    {},
    h(
      "p",
      {},
      convolution.isPointwise
        ? "This layer is 1×1: at each pixel one matrix maps the input channels to the output channels. With a bias it has one number more for each output channel."
        : `This kernel is ${kernelHeight}×${kernelWidth}, so it is ${kernelHeight * kernelWidth} matrices over the channels, one for each place; a 1×1 layer has just one. Choose a place.`,
    ),
    result,
    h(
      "div",
      { class: "channel" },
      part(`matrix ${filters}×${slice} at place [row, column]`, matrix.element),
      then("·", part("channels", channels.element)),
      then("→", part("what each place adds", places.element)),
    ),
    said,
    convolution.data.groups > 1 && note(`${convolution.data.groups} groups: this matrix is that of the group of output channel ${choices.f}.`),
  );
  return { element, products: 0, update };
}
