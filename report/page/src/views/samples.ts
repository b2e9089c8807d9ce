// The samples of the traced batch: what the net saw, what it answered, and what every layer made of it.
import { largest, numbers } from "../arrays";
import { className, moduleName, type TapeNode } from "../data";
import { append, button, h, keepingFocus, name, note } from "../dom";
import { fixed, percent, shape } from "../format";
import { Mosaic } from "../mosaic";
import { picture } from "../picture";
import { legend } from "../plane";
import type { State, View } from "../state";

/// A row of small pictures of which one is chosen.
export function samplePicker(state: State, change: () => void): HTMLElement {
  const { report, choices } = state;
  return h(
    "div",
    { class: "picker", role: "group", "aria-label": "samples" },
    report.samples.map((sample, i) =>
      button(
        [picture(sample.picture, "", 56), h("span", {}, name(sample.label === null ? sample.name : className(report, sample.label)))],
        () => {
          choices.sample = i;
          change();
        },
        { "data-key": `sample ${i}`, "aria-pressed": String(i === choices.sample), "aria-label": `sample ${i}: ${sample.name}, ${className(report, sample.label)}` },
      ),
    ),
  );
}

/// Layers that do one thing in a training, and another when the net is used.
const isOfTraining = (type: string): boolean => /^(BatchNorm|Dropout)/.test(type);

function answer(state: State): HTMLElement {
  const { report, choices } = state;
  const sample = report.samples[choices.sample];
  const order = sample.probabilities.map((p, i) => ({ p, i })).sort((a, b) => (b.p ?? -1) - (a.p ?? -1));
  const pictured = h("div", {}, picture(sample.picture, `the picture ${sample.name}`, 196), note(name(sample.name)));
  if (sample.predicted === null) return h("section", { class: "card answer" }, pictured, note("The loss of this net is not one of classes, so there is no softmax to show."));
  const right = sample.label === sample.predicted;
  const verdict = sample.label === null ? "no label was given" : right ? "right" : "wrong";
  return h(
    "section",
    { class: "card answer" },
    pictured,
    h(
      "div",
      {},
      h("h3", {}, "The answer: ", name(className(report, sample.predicted)), ` (${verdict})`),
      h("p", {}, "Label: ", name(className(report, sample.label))),
      h(
        "ul",
        { class: "bars", "aria-label": "softmax" },
        order.slice(0, 20).map(({ p, i }) =>
          h(
            "li",
            { class: i === sample.label ? "label" : null },
            h("span", { class: "what" }, name(className(report, i))),
            h("span", { class: "bar", "aria-hidden": "true" }, h("i", { style: `width:${100 * (p ?? 0)}%` })),
            h("span", { class: "number" }, percent(p)),
          ),
        ),
      ),
      order.length > 20 && note(`and ${order.length - 20} classes below these`),
    ),
  );
}

const isOp = ({ role, op }: TapeNode): boolean => role === "op" || (role === "constant" && op !== "leaf");

const titleOf = (state: State, node: TapeNode, index: number): string => {
  const module = moduleName(state.report, node.module);
  return isOp(node) ? `${node.op}${module ? ` in ${module}` : ""} (node ${index})` : `${node.name || node.role} (node ${index})`;
};

function featureMaps(state: State, node: TapeNode, index: number, ownScale: boolean): HTMLElement {
  const box = h("div");
  if (node.value === null) {
    append(box, note("Its numbers are not kept: the page stays below three megabytes."));
    return box;
  }
  const values = numbers(node.value);
  const [, ...rest] = node.shape;
  const [planes, height, width] = rest.length === 3 ? rest : rest.length === 2 ? [1, rest[0], rest[1]] : [1, 1, rest[0] ?? 1];
  const size = planes * height * width;
  const offset = state.choices.sample * size;
  const bound = largest(values, offset, offset + size);
  const layer = state.report.convolutions.findIndex((convolution) => convolution.node === index);
  const mosaic = new Mosaic({
    label: `${planes} channels of ${height}×${width}`,
    planes,
    height,
    width,
    cell: height === 1 ? Math.max(2, Math.min(16, Math.floor(720 / width))) : undefined,
    describe: (plane, y, x) => `channel ${plane}, row ${y}, column ${x}: ${fixed(values[offset + plane * height * width + y * width + x], 5)}`,
    open: layer < 0 ? undefined : (f, y, x) => state.go("convolution", { layer, f, y, x, tab: "forward" }),
  });
  const area = height * width;
  mosaic.paint(values, offset, (p) => (ownScale ? largest(values, offset + p * area, offset + (p + 1) * area) : bound));
  append(
    box,
    mosaic.element,
    ownScale ? note("Each channel from minus its own largest magnitude to plus.") : legend(bound),
    layer >= 0 && button("Step through this convolution", () => state.go("convolution", { layer, tab: "forward", f: 0, y: 0, x: 0 })),
    layer >= 0 && note("A click on a pixel, or Enter on a channel, opens it in the stepper."),
  );
  return box;
}

export const samplesView: View = {
  id: "samples",
  title: "Samples",
  missing: (report) => (report.samples.length > 0 ? null : "no samples"),
  show(state: State, root: HTMLElement) {
    const { report } = state;
    let ownScale = false;
    const open = new Set<number>();
    const layers = report.nodes
      .map((node, index) => ({ node, index }))
      .filter(({ node }) => (node.role === "op" || node.role === "input") && node.shape.length >= 2 && node.shape[0] === report.samples.length);
    layers.slice(0, 4).forEach(({ index }) => open.add(index));

    const draw = () => keepingFocus(root, build);
    const build = () => {
      const own = h("input", { type: "checkbox", "data-key": "own scale", change: () => ((ownScale = own.checked), draw()) });
      own.checked = ownScale;
      const details = layers.map(({ node, index }) => {
        const box = h("div");
        const element = h(
          "details",
          {
            toggle: () => {
              if (element.open) open.add(index);
              else open.delete(index);
              box.replaceChildren(...(element.open ? [featureMaps(state, node, index, ownScale)] : []));
            },
          },
          h("summary", {}, name(titleOf(state, node, index)), h("span", { class: "shape" }, shape(node.shape.slice(1)))),
          box,
        );
        element.open = open.has(index);
        return element;
      });
      root.replaceChildren(
        samplePicker(state, draw),
        answer(state),
        h("section", { class: "card" }, h("h3", {}, "What every layer made of it"), report.modules.some(({ type }) => isOfTraining(type)) && note("These are the numbers of the step that was watched, in which batch norms and dropouts may act as in training. The probabilities above are those of the net in use, as predict gives them."), h("label", { class: "field" }, own, "each channel on a scale of its own"), details),
      );
    };
    draw();
  },
};
