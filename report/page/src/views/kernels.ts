// The kernels of a layer, or the weights of any other, at each snapshot of the run: one scale for all times.
import { largest, numbers } from "../arrays";
import type { Parameter, Place } from "../data";
import { append, button, field, h, note, select } from "../dom";
import { fixed, number, shape } from "../format";
import { Mosaic } from "../mosaic";
import { legend } from "../plane";
import { player } from "../player";
import type { State, View } from "../state";

interface Moment {
  label: string;
  value: Place | null;
}

const momentsOf = (parameter: Parameter): Moment[] => {
  const snapshots = parameter.snapshots.map(({ epoch, value }) => ({ label: epoch === 0 ? "before training" : `after epoch ${epoch}`, value }));
  return parameter.value ? [...snapshots, { label: "as it is now", value: parameter.value }] : snapshots;
};

const isShown = (parameter: Parameter): boolean => parameter.shape.length >= 2 && momentsOf(parameter).some(({ value }) => value !== null);

function showParameter(state: State, index: number): HTMLElement {
  const parameter = state.report.parameters[index];
  const moments = momentsOf(parameter);
  const bound = moments.reduce((most, { value }) => (value ? Math.max(most, largest(numbers(value))) : most), 0);
  const [rows, ...rest] = parameter.shape;
  const isKernel = parameter.shape.length === 4;
  const [columns, height, width] = isKernel ? rest : [1, rows, rest.reduce((a, b) => a * b, 1)];
  const planes = isKernel ? rows * columns : 1;
  let shown: Place | null = null;
  const at = (plane: number, y: number, x: number): string => {
    const where = isKernel ? `filter ${Math.floor(plane / columns)}, input channel ${plane % columns}, [${y},${x}]` : `row ${y}, column ${x}`;
    return `${where}: ${shown ? fixed(numbers(shown)[(plane * height + y) * width + x], 5) : "not kept"}`;
  };
  const layer = isKernel ? state.report.convolutions.findIndex(({ module }) => module === parameter.module) : -1;
  const mosaic = new Mosaic({
    label: isKernel ? `${rows} filters (rows) of ${columns} kernels (columns), ${height}×${width} each` : `a matrix of ${height}×${width}`,
    ...{ planes, height, width, describe: at },
    columns: columns === 1 ? undefined : columns,
    cell: Math.max(1, Math.min(12, Math.floor((isKernel ? 48 : 720) / Math.max(height, width)))),
    open: layer < 0 ? undefined : (p, ky, kx) => state.go("convolution", { layer, tab: "weight", f: Math.floor(p / columns), c: p % columns, ky, kx }),
  });
  const missing = note();
  const show = (moment: number) => {
    state.choices.snapshot = moment;
    shown = moments[moment].value;
    missing.textContent = shown ? "" : "These weights are not kept: the page stays below three megabytes.";
    mosaic.element.hidden = shown === null;
    if (shown) mosaic.paint(numbers(shown), 0, () => bound);
  };
  const last = moments.length - 1;
  const start = state.choices.snapshot < 0 ? last : Math.min(last, state.choices.snapshot);
  const box = h("section", { class: "card" });
  append(
    box,
    h("h3", {}, isKernel ? `${rows} filters of ${columns} × ${height}×${width}` : `Matrix ${shape(parameter.shape)}`),
    moments.length > 1
      ? player("the time of the run", last, start, (i) => moments[i].label, show, 700).element
      : note("No snapshots were taken while training, so here are the weights as they are."),
    mosaic.element,
    missing,
    legend(bound),
    note(`‖w‖ = ${number(parameter.norm)}${isKernel ? "; each row is an output channel, each column an input channel" : ""}`),
    layer >= 0 && button("Where the gradient of a weight comes from", () => state.go("convolution", { layer, tab: "weight", f: 0, c: 0, ky: 0, kx: 0 })),
  );
  show(start);
  return box;
}

export const kernelsView: View = {
  id: "kernels",
  title: "Kernels",
  missing: (report) => (report.parameters.some(isShown) ? null : "no weights of two or more axes are kept"),
  show(state: State, root: HTMLElement) {
    const offered = state.report.parameters.map((parameter, index) => ({ parameter, index })).filter(({ parameter }) => isShown(parameter));
    const box = h("div");
    const choose = (i: number) => {
      state.choices.parameter = offered[i].index;
      box.replaceChildren(showParameter(state, offered[i].index));
    };
    const chosen = Math.max(0, offered.findIndex(({ index }) => index === state.choices.parameter));
    const names = offered.map(({ parameter }) => `${parameter.name} (${shape(parameter.shape)})`);
    root.append(h("div", { class: "controls" }, field("parameter", select(names, chosen, choose))), box);
    choose(chosen);
  },
};
