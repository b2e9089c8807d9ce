// Correlation, which every framework calls convolution, beside the convolution of mathematics, whose kernel is turned by
// half a turn: what would change at this pixel and everywhere.
import { largest } from "../arrays";
import { Cells } from "../cells";
import type { Convolution } from "../convolution";
import { h, note } from "../dom";
import { number } from "../format";
import { Plane } from "../plane";
import { bounds, part, range, then, type Bench } from "./bench";
import type { Steps } from "./forward";

const turned = (values: number[]): number[] => [...values].reverse();
const dot = (a: number[], b: number[]): number => a.reduce((sum, value, i) => sum + value * b[i], 0);

function flippedOutput(convolution: Convolution, n: number, f: number, y: number, x: number): number {
  const output = convolution.products(n, f, y, x)!;
  return output.channels.reduce((sum, channel) => sum + dot(channel.window, turned(channel.kernel)), output.bias ?? 0);
}

export function flipped(bench: Bench): Steps {
  const { convolution, choices } = bench;
  const { outHeight, outWidth, kernelHeight, kernelWidth } = convolution;
  const bound = bounds(bench);
  const places = range(outHeight * outWidth);
  const plain = places.map((i) => convolution.products(choices.sample, choices.f, Math.floor(i / outWidth), i % outWidth)!.sum);
  const other = places.map((i) => flippedOutput(convolution, choices.sample, choices.f, Math.floor(i / outWidth), i % outWidth));
  const difference = plain.map((value, i) => other[i] - value);
  const most = largest(Float64Array.from([...plain, ...other, ...difference]));
  const planes = [
    { label: "correlation (what this layer computes)", values: plain },
    { label: "true convolution (kernel turned)", values: other },
    { label: "what would change", values: difference },
  ].map(({ label, values }) => {
    const plane = new Plane({ label, height: outHeight, width: outWidth, size: 150 });
    plane.paint(values, 0, most);
    return { label, plane };
  });
  const [window, kernel, turnedKernel] = ["window", "kernel", "kernel turned"].map((what) => new Cells(what, kernelHeight, kernelWidth));
  const said = h("p", { class: "running" });
  const symmetric = note();
  const update = () => {
    const output = convolution.products(choices.sample, choices.f, choices.y, choices.x)!;
    const first = output.channels[0];
    window.show(first.window, bound.input, { inside: first.inside });
    kernel.show(first.kernel, bound.weight);
    turnedKernel.show(turned(first.kernel), bound.weight);
    planes.forEach(({ plane }) => plane.mark([{ kind: "choice", y: choices.y, x: choices.x }]));
    const there = flippedOutput(convolution, choices.sample, choices.f, choices.y, choices.x);
    said.textContent = `At this pixel: correlation ${number(output.sum, 6)}, true convolution ${number(there, 6)}.`;
    const same = output.channels.every((channel) => channel.kernel.every((w, i) => w === turned(channel.kernel)[i]));
    symmetric.textContent = same
      ? "This filter is the same after half a turn, so both agree everywhere."
      : "A net that learns its kernels does not care: it would learn them turned. It matters when kernels are written by hand or taken from elsewhere.";
  };
  const element = h(
    "div",
    {},
    h("p", {}, "Correlation lays the kernel on the window as it is; the convolution of mathematics turns it by half a turn first."),
    h(
      "div",
      { class: "channel" },
      part(`window, channel ${convolution.firstChannel(choices.f)}`, window.element),
      then("⊙", part("kernel", kernel.element)),
      then("or", part("kernel turned", turnedKernel.element)),
    ),
    said,
    h("div", { class: "channel" }, planes.map(({ label, plane }) => part(label, plane.element))),
    symmetric,
  );
  return { element, products: 0, update };
}
