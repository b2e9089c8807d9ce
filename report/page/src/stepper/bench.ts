// What the stepper's tabs share: the layer and its scales, the sum beside the stored number.
import { largest } from "../arrays";
import type { Convolution } from "../convolution";
import { h } from "../dom";
import { number } from "../format";
import type { Choices, State } from "../state";

export interface Bench {
  state: State;
  choices: Choices;
  convolution: Convolution;
}

export const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

/// Choices that another layer left out of range come back into it; those below zero go to the middle.
export function settle({ choices, convolution }: Bench): void {
  const inside = (value: number, size: number) => (value < 0 ? Math.floor(size / 2) : Math.min(value, size - 1));
  const limits: [keyof Choices & ("f" | "y" | "x" | "c" | "ky" | "kx" | "channel" | "iy" | "ix" | "sample"), number][] = [
    ["sample", convolution.batch],
    ["f", convolution.filters],
    ["y", convolution.outHeight],
    ["x", convolution.outWidth],
    ["c", convolution.slice],
    ["ky", convolution.kernelHeight],
    ["kx", convolution.kernelWidth],
    ["channel", convolution.inputs],
    ["iy", convolution.height],
    ["ix", convolution.width],
  ];
  for (const [key, size] of limits) if (size > 0) choices[key] = inside(choices[key], size);
}

/// The largest input, weight and product of one output channel, so that colours keep their meaning from pixel to pixel.
export function bounds({ choices, convolution }: Bench): { input: number; weight: number; output: number } {
  const { input, weight, output } = convolution;
  const firstInput = convolution.inputIndex(choices.sample, convolution.firstChannel(choices.f), 0, 0);
  const firstWeight = convolution.weightIndex(choices.f, 0, 0, 0);
  const firstOutput = convolution.outputIndex(choices.sample, choices.f, 0, 0);
  return {
    input: input ? largest(input, firstInput, firstInput + convolution.slice * convolution.height * convolution.width) : 0,
    weight: weight ? largest(weight, firstWeight, convolution.weightIndex(choices.f + 1, 0, 0, 0)) : 0,
    output: output ? largest(output, firstOutput, firstOutput + convolution.outHeight * convolution.outWidth) : 0,
  };
}

export const part = (label: string, body: HTMLElement): HTMLElement =>
  h("div", { class: "part" }, h("span", { class: "over" }, label), body);

/// A part and the sign before it, which stay on one line.
export const then = (sign: string, element: HTMLElement): HTMLElement => h("div", { class: "then" }, h("span", { class: "sign" }, sign), element);

/// computed here = …, stored by the program = …, and how far apart they are.
export function verdict(what: string, computed: number, stored: number | null, absence = "not kept"): HTMLElement {
  const box = (label: string, value: string, kind: string) => h("div", { class: kind }, h("span", {}, label), h("strong", {}, value));
  return h(
    "div",
    { class: "verdict" },
    box(`${what}, added up here`, number(computed, 7), "computed"),
    box("stored by the program", stored === null ? absence : number(stored, 7), "stored"),
    box("difference", stored === null ? "–" : number(computed - stored, 2), "difference"),
  );
}
