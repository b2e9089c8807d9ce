// Choose a weight: its gradient is the sum, over all samples and output pixels, of the gradient that arrived there times
// the input that this weight met there.
import { largest } from "../arrays";
import { Cells } from "../cells";
import { field, h, note, select } from "../dom";
import { Plane } from "../plane";
import { bounds, part, range, type Bench } from "./bench";
import { listing, type GradientTab, type Listing } from "./contributions";

interface SamplePlanes {
  n: number;
  element: HTMLElement;
  mark: (place: { oy: number; ox: number; iy: number; ix: number } | null) => void;
}

function samplePlanes(bench: Bench, n: number): SamplePlanes {
  const { convolution, choices } = bench;
  const { height, width, outHeight, outWidth } = convolution;
  const { f, c, ky, kx } = choices;
  const channel = convolution.firstChannel(f) + c;
  const input = new Plane({ label: `input of sample ${n}, channel ${channel}`, height, width, padding: convolution.data.padding, size: 120 });
  input.paint(convolution.input!, convolution.inputIndex(n, channel, 0, 0), bounds(bench).input);
  const gradient = new Plane({ label: `gradient of output channel ${f}, sample ${n}`, height: outHeight, width: outWidth, size: 120 });
  const most = largest(convolution.outputGradient!);
  gradient.paint(convolution.outputGradient!, convolution.outputIndex(n, f, 0, 0), most);
  const [strideY, strideX] = convolution.data.stride;
  const reach = {
    ...{ kind: "window" as const, y: convolution.inputRow(0, ky), x: convolution.inputColumn(0, kx) },
    ...{ height: (outHeight - 1) * strideY + 1, width: (outWidth - 1) * strideX + 1 },
  };
  const element = h("div", { class: "channel" }, part(`sample ${n}: dL/dy, channel ${f}`, gradient.element), part(`input channel ${channel}, where this weight read`, input.element));
  const mark: SamplePlanes["mark"] = (place) => {
    input.mark(place ? [reach, { kind: "choice", y: place.iy, x: place.ix }] : [reach]);
    gradient.mark(place ? [{ kind: "choice", y: place.oy, x: place.ox }] : []);
  };
  mark(null);
  return { n, element, mark };
}

export function weightGradient(bench: Bench): GradientTab {
  const { convolution, choices } = bench;
  const { kernelHeight, kernelWidth, filters, slice } = convolution;
  const { weight, weightGradient } = convolution;
  const box = h("div");
  let current: Listing | null = null;
  const kernel = new Cells("weights; the chosen one is pressed", kernelHeight, kernelWidth, (ky, kx) => ((choices.ky = ky), (choices.kx = kx), draw()));
  const gradients = new Cells("stored gradients of these weights", kernelHeight, kernelWidth);

  const draw = () => {
    current?.stop();
    const { f, c, ky, kx } = choices;
    const chosen = ky * kernelWidth + kx;
    const from = convolution.weightIndex(f, c, 0, 0);
    const to = from + kernelHeight * kernelWidth;
    if (weight) kernel.show(weight.subarray(from, to), bounds(bench).weight, { chosen });
    if (weightGradient) gradients.show(weightGradient.subarray(from, to), largest(weightGradient, from, to), { chosen, decimals: 3 });
    const sum = convolution.ofWeight(f, c, ky, kx);
    if (!sum) {
      box.replaceChildren(note("The input of this layer, or the gradient of its output, is not kept, so the sum cannot be shown."));
      return;
    }
    const planes = range(convolution.batch).map((n) => samplePlanes(bench, n));
    current = listing(sum, convolution.absence("weight gradient"), "gradient × input", "input it met", (place) => planes.forEach((p) => p.mark(place && place.n === p.n ? place : null)));
    box.replaceChildren(
      current.head,
      h("div", { class: "two" }, h("div", {}, h("h4", {}, "Where they come from"), planes.map((p) => p.element)), h("div", {}, h("h4", {}, "Every contribution"), current.table)),
    );
  };
  draw();
  const element = h(
    "div",
    {},
    h("p", {}, "dL/dw[f,c,ky,kx] = Σ dL/dy[n,f,oy,ox] · x[n,c,iy,ix]: every output that used this weight sends back its gradient times what the weight met."),
    h(
      "div",
      { class: "controls" },
      field("output channel", select(range(filters).map(String), choices.f, (f) => ((choices.f = f), draw()))),
      field("input channel", select(range(slice).map(String), choices.c, (c) => ((choices.c = c), draw()))),
    ),
    h("div", { class: "channel" }, part("choose a weight", kernel.element), weightGradient ? part("stored gradients", gradients.element) : note(`The gradients of the weights: ${convolution.absence("weight gradient")}.`)),
    box,
  );
  return { element, stop: () => current?.stop() };
}
