// Choose an input pixel: its gradient is the sum, over all outputs whose window held it, of the gradient that arrived there
// times the weight it met.
import { largest } from "../arrays";
import { field, h, note, select } from "../dom";
import { legend, Plane, type Mark } from "../plane";
import { part, range, type Bench } from "./bench";
import { listing, type GradientTab, type Listing } from "./contributions";

export function inputGradient(bench: Bench): GradientTab {
  const { convolution, choices } = bench;
  const { height, width, inputs, outHeight, outWidth, filters, slice } = convolution;
  const box = h("div");
  const pickers = h("div", { class: "channel" });
  let current: Listing | null = null;
  let planes: Plane[] = [];

  const choose = (iy: number, ix: number) => {
    Object.assign(choices, { iy, ix });
    planes.forEach((plane) => plane.mark([{ kind: "choice", y: iy, x: ix }]));
    drawSum();
  };
  const drawPickers = () => {
    const { sample, channel } = choices;
    const make = (label: string, values: typeof convolution.input, absence: string): HTMLElement => {
      if (!values) return part(label, note(absence));
      const plane = new Plane({ label: `${label}, channel ${channel}: arrow keys choose a pixel`, height, width, size: 200, pick: choose });
      const from = convolution.inputIndex(sample, channel, 0, 0);
      const most = largest(values, from, from + height * width);
      plane.paint(values, from, most);
      plane.mark([{ kind: "choice", y: choices.iy, x: choices.ix }]);
      planes.push(plane);
      return part(label, h("div", {}, plane.element, legend(most)));
    };
    planes = [];
    pickers.replaceChildren(make("input", convolution.input, "not kept"), make("stored gradient of the input", convolution.inputGradient, convolution.absence("input gradient")));
  };
  const drawSum = () => {
    current?.stop();
    const { sample, channel, iy, ix } = choices;
    const sum = convolution.ofInput(sample, channel, iy, ix);
    if (!sum) {
      box.replaceChildren(note("The weights of this layer, or the gradient of its output, are not kept, so the sum cannot be shown."));
      return;
    }
    const group = Math.floor(channel / slice);
    const perGroup = filters / convolution.data.groups;
    const most = largest(convolution.outputGradient!);
    const outputs = range(perGroup).map((i) => {
      const f = group * perGroup + i;
      const plane = new Plane({ label: `gradient of output channel ${f}`, height: outHeight, width: outWidth, size: 100 });
      plane.paint(convolution.outputGradient!, convolution.outputIndex(sample, f, 0, 0), most);
      const reads: Mark[] = sum.contributions.filter((c) => c.f === f).map((c) => ({ kind: "reads", y: c.oy, x: c.ox }));
      return { f, plane, reads };
    });
    current = listing(sum, convolution.absence("input gradient"), "gradient × weight", "weight it met", (place) =>
      outputs.forEach(({ f, plane, reads }) => plane.mark(place && place.f === f ? [...reads, { kind: "choice", y: place.oy, x: place.ox }] : reads)),
    );
    box.replaceChildren(
      current.head,
      h(
        "div",
        { class: "two" },
        h("div", {}, h("h4", {}, "The outputs whose window held this pixel"), h("div", { class: "channel" }, outputs.map(({ f, plane }) => part(`dL/dy, channel ${f}`, plane.element)))),
        h("div", {}, h("h4", {}, "Every contribution"), current.table),
      ),
    );
  };
  drawPickers();
  drawSum();
  const element = h(
    "div",
    {},
    h("p", {}, "dL/dx[n,c,iy,ix] = Σ dL/dy[n,f,oy,ox] · w[f,c,ky,kx]: every output that saw this pixel sends back its gradient times the weight it saw it through."),
    h("div", { class: "controls" }, field("input channel", select(range(inputs).map(String), choices.channel, (c) => ((choices.channel = c), drawPickers(), drawSum())))),
    pickers,
    box,
  );
  return { element, stop: () => current?.stop() };
}
