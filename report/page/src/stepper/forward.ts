// The convolution step by step: for each input channel the window, the kernel's slice and their products; all sums and the
// bias make the output.
import { numbers } from "../arrays";
import { Cells } from "../cells";
import type { Output } from "../convolution";
import { h } from "../dom";
import { number } from "../format";
import { legend, Plane, type Mark } from "../plane";
import { bounds, part, range, then, verdict, type Bench } from "./bench";

/// The window of an output pixel over an input plane: its hull, and the places it reads where dilation leaves gaps.
export function windowMarks({ convolution }: Bench, y: number, x: number): Mark[] {
  const [dilationY, dilationX] = convolution.data.dilation;
  const [top, left] = [convolution.inputRow(y, 0), convolution.inputColumn(x, 0)];
  const height = (convolution.kernelHeight - 1) * dilationY + 1;
  const width = (convolution.kernelWidth - 1) * dilationX + 1;
  const marks: Mark[] = [{ kind: "window", y: top, x: left, height, width }];
  if (dilationY === 1 && dilationX === 1) return marks;
  for (const ky of range(convolution.kernelHeight)) {
    for (const kx of range(convolution.kernelWidth)) marks.push({ kind: "reads", y: top + ky * dilationY, x: left + kx * dilationX });
  }
  return marks;
}

interface Row {
  element: HTMLElement;
  update: (output: Output, upTo: number) => void;
}

function channelRow(bench: Bench, c: number): Row {
  const { convolution, choices } = bench;
  const { kernelHeight, kernelWidth, height, width } = convolution;
  const bound = bounds(bench);
  const channel = convolution.firstChannel(choices.f) + c;
  const plane = new Plane({ label: `input channel ${channel} with the window`, height, width, padding: convolution.data.padding, size: 120 });
  plane.paint(convolution.input!, convolution.inputIndex(choices.sample, channel, 0, 0), bound.input);
  const cells = (what: string) => new Cells(`${what} of input channel ${channel}`, kernelHeight, kernelWidth);
  const [window, kernel, products] = [cells("window"), cells("kernel"), cells("products")];
  const sum = h("strong", { class: "sum" });
  const element = h(
    "div",
    { class: "channel" },
    part(`input channel ${channel}`, plane.element),
    part("window", window.element),
    then("⊙", part(`kernel w[${choices.f},${c}]`, kernel.element)),
    then("=", part("products", products.element)),
    then("Σ", part("sum", sum)),
  );
  const area = kernelHeight * kernelWidth;
  const update = (output: Output, upTo: number) => {
    const found = output.channels[c];
    const done = Math.min(area, Math.max(0, upTo - c * area));
    plane.mark(windowMarks(bench, choices.y, choices.x));
    window.show(found.window, bound.input, { inside: found.inside });
    kernel.show(found.kernel, bound.weight);
    products.show(found.products, bound.input * bound.weight, { upTo: done < area ? done : undefined });
    const soFar = found.products.slice(0, done).reduce((a, b) => a + b, 0);
    sum.textContent = done === 0 ? "–" : number(soFar, 4);
  };
  return { element, update };
}

/// The values that activation makes of the output, where one runs inside the operation.
function afterActivation({ state, choices, convolution }: Bench): HTMLElement | null {
  const { activation, node } = convolution.data;
  if (activation === "none") return null;
  const value = state.report.nodes[node]?.value;
  const kept = value ? numbers(value)[convolution.outputIndex(choices.sample, choices.f, choices.y, choices.x)] : null;
  return h("p", { class: "note" }, `Then ${activation}, in the same operation: ${kept === null ? "its result is not kept" : number(kept, 7)}.`);
}

const summand = (value: number): string => (value < 0 ? `(${number(value, 4)})` : number(value, 4));

export interface Steps {
  element: HTMLElement;
  products: number; // of one output
  update: (upTo: number) => void;
}

export function forward(bench: Bench): Steps {
  const { convolution, choices } = bench;
  const bound = bounds(bench);
  const rows = range(convolution.slice).map((c) => channelRow(bench, c));
  const result = h("div", { class: "sticky" });
  const products = convolution.slice * convolution.kernelHeight * convolution.kernelWidth;
  const update = (upTo: number) => {
    const output = convolution.products(choices.sample, choices.f, choices.y, choices.x)!;
    rows.forEach((row) => row.update(output, upTo));
    if (upTo < products) {
      const done = output.channels.flatMap((channel) => channel.products).slice(0, upTo);
      const sum = done.reduce((a, b) => a + b, 0);
      result.replaceChildren(h("p", { class: "running" }, `${upTo} of ${products} products: `, h("strong", {}, number(sum, 6))));
      return;
    }
    const sums = output.channels.length > 8 ? `Σ of ${output.channels.length} channels` : output.channels.map((channel) => summand(channel.sum)).join(" + ");
    const bias = output.bias === null ? "no bias" : `bias ${summand(output.bias)}`;
    const after = afterActivation(bench);
    result.replaceChildren(h("p", { class: "running" }, `${sums} + ${bias}`), verdict("Σ + bias", output.sum, output.stored), ...(after ? [after] : []));
  };
  const element = h(
    "div",
    {},
    result,
    h("div", { class: "legends" }, h("span", {}, "inputs", legend(bound.input)), h("span", {}, "weights", legend(bound.weight))),
    rows.map((row) => row.element),
  );
  return { element, products, update };
}
