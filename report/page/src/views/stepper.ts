// The convolution stepper: a layer, a sample, an output channel and a pixel, and six ways to look at them.
import type { Place } from "../data";
import { className } from "../data";
import { append, button, field, h, keepingFocus, note, select } from "../dom";
import { shape } from "../format";
import { legend, Plane } from "../plane";
import { player, type Player } from "../player";
import type { State, StepperTab, View } from "../state";
import { bounds, part, range, settle, type Bench } from "../stepper/bench";
import { columns } from "../stepper/columns";
import { flipped } from "../stepper/flipped";
import { forward, type Steps } from "../stepper/forward";
import { inputGradient } from "../stepper/input_gradient";
import { pointwise } from "../stepper/pointwise";
import { weightGradient } from "../stepper/weight_gradient";

const tabs: [StepperTab, string][] = [
  ["forward", "Step by step"],
  ["flipped", "True convolution"],
  ["columns", "Windows as columns"],
  ["pointwise", "Matrix over channels"],
  ["weight", "Weight gradient"],
  ["input", "Input gradient"],
];

const bodies: Partial<Record<StepperTab, (bench: Bench) => Steps>> = { forward, flipped, columns, pointwise };

function geometry({ convolution }: Bench): HTMLElement {
  const { data } = convolution;
  const [top, bottom, left, right] = data.padding;
  const size = (place: Place | null) => (place ? shape(place.shape) : "not kept");
  const facts: [string, string][] = [
    ["input", size(data.input)],
    ["weight", size(data.weight)],
    ["output", size(data.output)],
    ["stride", data.stride.join(" × ")],
    ["padding", top === bottom && left === right && top === left ? String(top) : `top ${top}, bottom ${bottom}, left ${left}, right ${right}`],
    ["dilation", data.dilation.join(" × ")],
    ["groups", String(data.groups)],
    ["bias", data.has_bias ? "yes" : "none"],
    ["activation", data.activation],
  ];
  return h("dl", { class: "facts small" }, facts.map(([key, value]) => h("div", {}, h("dt", {}, key), h("dd", {}, value))));
}

/// Steps over the pixels, or over the products of one pixel.
function pixelPanel(bench: Bench): HTMLElement {
  const { convolution, choices } = bench;
  const { outHeight, outWidth } = convolution;
  if (!convolution.products(choices.sample, choices.f, choices.y, choices.x)) return note("The input, the weights or the bias of this layer are not kept: the page stays below three megabytes.");
  const steps = bodies[choices.tab]!(bench);
  const bound = bounds(bench).output;
  const plane = new Plane({ label: `output channel ${choices.f}: arrow keys move the window`, height: outHeight, width: outWidth, size: 190, pick: (y, x) => moveTo(y, x) });
  const playerBox = h("div");
  const place = h("p", { class: "note" });
  let byProduct = false;
  let current: Player;

  const refresh = () => {
    plane.mark([{ kind: "choice", y: choices.y, x: choices.x }]);
    place.textContent = `output[${choices.sample}, ${choices.f}, ${choices.y}, ${choices.x}]`;
  };
  const moveTo = (y: number, x: number) => {
    current.stop();
    Object.assign(choices, { y, x });
    current.set(byProduct ? steps.products : y * outWidth + x);
    refresh();
    steps.update(steps.products);
  };
  const makePlayer = () => {
    current?.stop();
    current = byProduct
      ? player("products", steps.products, 0, (k) => `${k} of ${steps.products} products`, (k) => steps.update(k), 350)
      : player("pixels", outHeight * outWidth - 1, choices.y * outWidth + choices.x, (i) => `row ${Math.floor(i / outWidth)}, column ${i % outWidth}`, (i) => {
          Object.assign(choices, { y: Math.floor(i / outWidth), x: i % outWidth });
          refresh();
          steps.update(steps.products);
        });
    playerBox.replaceChildren(current.element);
    steps.update(byProduct ? 0 : steps.products);
  };
  if (convolution.output) plane.paint(convolution.output, convolution.outputIndex(choices.sample, choices.f, 0, 0), bound);
  refresh();
  makePlayer();
  const granularity = select(["pixel by pixel", "product by product"], 0, (i) => ((byProduct = i === 1), makePlayer()));
  const spot = part(`output channel ${choices.f}${convolution.output ? "" : " (not kept)"}`, h("div", {}, plane.element, legend(bound)));
  return h(
    "div",
    { class: "bench" },
    h("div", { class: "card side" }, spot, place, choices.tab === "forward" && field("steps", granularity), playerBox),
    h("div", { class: "card" }, steps.element),
  );
}

function tabList(state: State, draw: () => void): HTMLElement {
  const move = (by: number) => {
    const at = tabs.findIndex(([id]) => id === state.choices.tab);
    state.choices.tab = tabs[(at + by + tabs.length) % tabs.length][0];
    draw();
    document.getElementById(`tab-${state.choices.tab}`)?.focus();
  };
  const press = (event: KeyboardEvent) => {
    if (event.key === "ArrowRight") move(1);
    else if (event.key === "ArrowLeft") move(-1);
    else return;
    event.preventDefault();
  };
  return h(
    "div",
    { class: "tabs", role: "tablist", "aria-label": "ways to look at the convolution", keydown: press },
    tabs.map(([id, title]) => {
      const chosen = state.choices.tab === id;
      return button(title, () => ((state.choices.tab = id), draw(), document.getElementById(`tab-${id}`)?.focus()), {
        ...{ role: "tab", id: `tab-${id}`, "aria-selected": String(chosen), "aria-controls": "stepper-panel", tabindex: chosen ? 0 : -1 },
      });
    }),
  );
}

export const stepperView: View = {
  id: "convolution",
  title: "Convolution",
  missing: (report) => (report.convolutions.length > 0 ? null : "this net has no convolution"),
  show(state: State, root: HTMLElement) {
    const { report, choices } = state;
    let stop = () => {};
    const draw = () => keepingFocus(root, build);
    const build = () => {
      stop();
      stop = () => {};
      choices.layer = Math.min(choices.layer, report.convolutions.length - 1);
      const bench: Bench = { state, choices, convolution: state.convolution(choices.layer) };
      settle(bench);
      const layers = report.convolutions.map(({ name, weight }, i) => `${i}: ${name}${weight ? ` (${shape(weight.shape)})` : ""}`);
      const samples = report.samples.map(({ label, name }, i) => `${i}: ${label === null ? "" : `${className(report, label)}, `}${name}`);
      const isGradient = choices.tab === "weight" || choices.tab === "input";
      const panel = h("div", { role: "tabpanel", id: "stepper-panel", "aria-labelledby": `tab-${choices.tab}`, tabindex: -1 });
      if (isGradient) {
        const gradient = choices.tab === "weight" ? weightGradient(bench) : inputGradient(bench);
        stop = gradient.stop;
        panel.append(h("div", { class: "card" }, gradient.element));
      } else {
        panel.append(pixelPanel(bench));
      }
      const controls = h("div", { class: "controls" });
      append(
        controls,
        field("layer", select(layers, choices.layer, (layer) => (Object.assign(choices, { layer, y: -1, x: -1, iy: -1, ix: -1 }), draw()))),
        choices.tab !== "weight" && field("sample", select(samples.length > 0 ? samples : range(bench.convolution.batch).map(String), choices.sample, (sample) => ((choices.sample = sample), draw()))),
        !isGradient && field("output channel", select(range(bench.convolution.filters).map(String), choices.f, (f) => ((choices.f = f), draw()))),
      );
      root.replaceChildren(controls, geometry(bench), tabList(state, draw), panel);
    };
    draw();
  },
};
