// The net as a graph of modules, each of which opens into its parts and at last into its operations; shapes on the edges.
// The table below it holds every number.
import { moduleName, type Report } from "../data";
import { append, button, h, keepingFocus, name, note, scroll, table } from "../dom";
import { bytes, count, shape } from "../format";
import { boxOf, drawGraph, layOut } from "../graph";
import type { State, View } from "../state";

const depth = (report: Report, index: number): number => {
  let steps = 0;
  for (let at = report.modules[index].parent; at >= 0; at = report.modules[at].parent) ++steps;
  return steps;
};

/// A module that was not called has no shapes.
const called = (sizes: number[] | null): string => (sizes === null || sizes.length === 0 ? "–" : shape(sizes));

function everyModule(report: Report): HTMLElement {
  const cell = (index: number) => h("span", { style: `padding-left:${depth(report, index) * 1.2}em` }, name(moduleName(report, index)));
  return table(
    "Every module",
    ["module", "type", "input", "output", "parameters", "× forward", "+ forward", "× backward", "+ backward", "kept"],
    report.modules.map((module, i) => [
      cell(i),
      h("span", { title: module.text }, name(module.type)),
      called(module.input),
      called(module.output),
      count(module.parameters),
      count(module.multiplications),
      count(module.additions),
      count(module.backward_multiplications),
      count(module.backward_additions),
      bytes(module.kept_bytes),
    ]),
    [4, 5, 6, 7, 8, 9],
  );
}

export const architectureView: View = {
  id: "architecture",
  title: "Architecture",
  missing: (report) => (report.modules.length > 0 ? null : "no modules"),
  show(state: State, root: HTMLElement) {
    const { report } = state;
    const open = new Set([0]);
    const canOpen = (index: number) => report.nodes.some((node) => boxOf(report, new Set([...open, index]), node) !== boxOf(report, open, node));
    const figure = h("div");
    const draw = () => keepingFocus(figure, build);
    const build = () => {
      const svg = drawGraph(layOut(report, open), {
        module: (index) => {
          if (open.has(index)) open.delete(index);
          else if (canOpen(index)) open.add(index);
          draw();
        },
        op: (index) => state.go("tape", { event: index }),
      });
      const all = report.modules.map((_, i) => i);
      figure.replaceChildren(
        h(
          "div",
          { class: "controls" },
          button("Open all", () => (all.forEach((i) => open.add(i)), draw()), { "data-key": "open all" }),
          button("Close all", () => (open.clear(), open.add(0), draw()), { "data-key": "close all" }),
          note("Choose a module to open or close it, an operation to see it on the tape."),
        ),
        scroll("the graph of the net", svg),
      );
    };
    build();
    append(
      root,
      h("section", { class: "card" }, figure),
      h("section", { class: "card" }, h("h3", {}, "Every module"), note("× multiplications, + additions, of one pass over the traced batch: of a sum of K products K − 1, and one more for a bias. Kept: what it holds for backward in a training, where a ReLU may be computed with the layer in front of it, and is kept there."), everyModule(report)),
    );
  },
};
