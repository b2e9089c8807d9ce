// The tape: the nodes in the order recorded, then backward through them. A slider goes to and fro; at each moment one sees
// what is kept, what has arrived and what has not been computed.
import { moduleName, type Report, type TapeNode } from "../data";
import { append, button, h, name, note, s, table } from "../dom";
import { bytes, count, microseconds, shape } from "../format";
import { keptBy, ledger, ledgerChart } from "../ledger";
import { player } from "../player";
import type { State, View } from "../state";
import { absent, tensorPicture } from "../tensor";

const rowHeight = 30;
const arcWidth = 52;

/// The result of an operation on constants alone is a constant too, and is called after its operation.
const titleOf = (node: TapeNode): string => (node.op !== "leaf" ? node.op : node.name || node.role);

interface Moment {
  event: number;
  node: number;
  isBackward: boolean;
  done: Set<number>; // nodes that backward has run, this one among them
}

function momentAt(report: Report, event: number): Moment {
  const step = event - report.nodes.length;
  if (step < 0) return { event, node: event, isBackward: false, done: new Set() };
  return { event, node: report.backward[step], isBackward: true, done: new Set(report.backward.slice(0, step + 1)) };
}

const saying = (report: Report, event: number): string => {
  const { node, isBackward } = momentAt(report, event);
  const what = `${titleOf(report.nodes[node])} (node ${node})`;
  if (isBackward) return `backward ${event - report.nodes.length + 1} of ${report.backward.length}: ${what}`;
  return `${report.nodes[node].role === "op" ? "forward" : "a leaf"}: ${what}, ${event + 1} of ${report.nodes.length}`;
};

function arcs(report: Report): { element: SVGSVGElement; at: (moment: Moment) => void } {
  const middle = (i: number) => (i + 0.5) * rowHeight;
  const lines = report.nodes.flatMap((node, to) =>
    node.inputs
      .filter((from) => from >= 0)
      .map((from) => {
        const reach = Math.min(arcWidth - 8, 8 + 5 * (to - from));
        const bend = arcWidth - (4 / 3) * reach;
        return { from, to, path: s("path", { d: `M${arcWidth} ${middle(from)}C${bend} ${middle(from)} ${bend} ${middle(to)} ${arcWidth} ${middle(to)}` }) };
      }),
  );
  const element = s("svg", { class: "arcs", width: arcWidth, height: report.nodes.length * rowHeight, "aria-hidden": "true" }, lines.map(({ path }) => path));
  const at = ({ node, isBackward }: Moment) => {
    for (const { from, to, path } of lines) path.setAttribute("class", to === node ? (isBackward ? "sends" : "reads") : from === node && isBackward ? "arrived" : "");
  };
  return { element, at };
}

/// What has come to a node so far: nothing, a part, all, or that no gradient was computed for it.
function gradientState(report: Report, index: number, { done, isBackward }: Moment): string {
  const { arrivals, computed } = report.nodes[index];
  if (!isBackward) return "";
  if (index === report.loss) return "seed";
  if (!computed) return "not computed";
  if (arrivals.length === 0) return "arrived";
  const come = arrivals.filter(({ from }) => done.has(from)).length;
  if (come === 0) return "";
  return arrivals.length === 1 ? "arrived" : `+= ${come} of ${arrivals.length}`;
}

function forwardDetail(state: State, index: number): Node[] {
  const node = state.report.nodes[index];
  const kept =
    node.kept.length === 0
      ? note(node.role === "op" ? "Keeps nothing for backward." : "A leaf: nothing computed it, so it keeps nothing.")
      : table("Kept for backward", ["what", "shape", "bytes", "why"], node.kept.map((k) => [name(k.what), shape(k.shape), bytes(k.bytes), [name(k.why), !k.counts && h("span", { class: "quiet" }, " (not counted: there anyway, or counted with an earlier node)")]]), [2]);
  return [
    h("h4", {}, "Value"),
    tensorPicture(node.value, `value of node ${index}`, state.choices.sample, "not kept: the page stays below three megabytes"),
    h("h4", {}, "Kept for backward"),
    kept,
  ];
}

function backwardDetail(state: State, moment: Moment): Node[] {
  const node = state.report.nodes[moment.node];
  const shown: Node[] = [h("h4", {}, "What arrived")];
  if (moment.node === state.report.loss) shown.push(note("Backward begins here: the gradient of the loss by itself is 1."));
  else if (!node.computed) shown.push(absent("not computed"));
  node.arrivals.forEach(({ from, gradient }, i) => {
    const sender = state.report.nodes[from];
    shown.push(
      h("p", { class: "arrival" }, i > 0 && h("strong", { class: "plus" }, "+="), `from ${sender ? titleOf(sender) : "node"} (node ${from})`),
      tensorPicture(gradient, `gradient from node ${from}`, state.choices.sample, "not kept by itself"),
    );
  });
  if (node.arrivals.length > 1 || (node.arrivals.length === 0 && node.computed && moment.node !== state.report.loss)) {
    const title = node.arrivals.length > 1 ? "Their sum: the gradient of this node" : "The gradient of this node";
    shown.push(h("h4", {}, title), tensorPicture(node.gradient, `gradient of node ${moment.node}`, state.choices.sample, "not kept"));
  }
  const freed = keptBy(state.report, moment.node);
  if (freed > 0) shown.push(note(`After this step its ${bytes(freed)} are given back.`));
  return shown;
}

function detail(state: State, moment: Moment, goTo: (node: number) => void): HTMLElement {
  const { report } = state;
  const node = report.nodes[moment.node];
  const inputs = node.inputs.map((i) => (i < 0 ? "no node" : button(`${titleOf(report.nodes[i])} (${i})`, () => goTo(i), { class: "link" })));
  const facts: [string, Node | string | (Node | string)[]][] = [
    ["role", node.role],
    ["module", name(moduleName(report, node.module) || "–")],
    ["recorded at", name(node.place || "–")],
    ["inputs", inputs.length > 0 ? inputs : "none"],
    ["shape", shape(node.shape)],
    ["time", moment.isBackward ? microseconds(node.backward_us) : microseconds(node.forward_us)],
    ["multiplications", count(node.multiplications)],
    ["additions", count(node.additions)],
  ];
  return h(
    "div",
    {},
    h("h3", {}, name(titleOf(node)), ` — node ${moment.node}, ${moment.isBackward ? "backward" : "forward"}`),
    h("dl", { class: "facts small" }, facts.map(([key, value]) => h("div", {}, h("dt", {}, key), h("dd", {}, value)))),
    moment.isBackward ? backwardDetail(state, moment) : forwardDetail(state, moment.node),
  );
}

interface Rows {
  element: HTMLElement;
  show: (moment: Moment) => void;
}

function rowsOf(report: Report, choose: (node: number) => void): Rows {
  const rows = report.nodes.map((node, i) => {
    const gradient = h("span", { class: "gradient" });
    const element = h(
      "div",
      { class: `row ${node.role}`, role: "option", id: `row-${i}`, style: `height:${rowHeight}px`, click: () => choose(i) },
      h("span", { class: "index" }, i),
      h("span", { class: "op" }, name(titleOf(node))),
      h("span", { class: "shape" }, shape(node.shape)),
      h("span", { class: "kept" }, keptBy(report, i) > 0 ? bytes(keptBy(report, i)) : ""),
      gradient,
    );
    return { element, gradient };
  });
  let current = 0;
  const move = (event: KeyboardEvent) => {
    const by = event.key === "ArrowDown" ? 1 : event.key === "ArrowUp" ? -1 : 0;
    if (by === 0) return;
    event.preventDefault();
    choose(Math.min(report.nodes.length - 1, Math.max(0, current + by)));
  };
  const list = h("div", { class: "rows", role: "listbox", tabindex: 0, "aria-label": "nodes in the order recorded", keydown: move }, rows.map(({ element }) => element));
  const lines = arcs(report);
  const element = h("div", { class: "tape" }, lines.element, list);
  const show = (moment: Moment) => {
    current = moment.node;
    rows.forEach((row, i) => {
      const state = gradientState(report, i, moment);
      row.gradient.textContent = state;
      row.element.classList.toggle("later", !moment.isBackward && i > moment.node);
      row.element.classList.toggle("blank", state === "not computed");
      row.element.classList.toggle("done", moment.done.has(i));
      row.element.setAttribute("aria-selected", String(i === moment.node));
    });
    list.setAttribute("aria-activedescendant", `row-${moment.node}`);
    lines.at(moment);
    const box = element.getBoundingClientRect();
    const top = moment.node * rowHeight;
    if (top < element.scrollTop || top > element.scrollTop + box.height - 2 * rowHeight) element.scrollTop = top - box.height / 2;
  };
  return { element, show };
}

export const tapeView: View = {
  id: "tape",
  title: "Tape",
  missing: (report) => (report.nodes.length > 0 ? null : "no step was traced"),
  show(state: State, root: HTMLElement) {
    const { report, choices } = state;
    const last = report.nodes.length + report.backward.length - 1;
    const held = ledger(report);
    const chart = ledgerChart(report);
    const now = h("p", { class: "running" });
    const side = h("section", { class: "card detail" });

    const show = (event: number) => {
      choices.event = event;
      const moment = momentAt(report, event);
      rows.show(moment);
      chart.at(event);
      now.textContent = `kept for backward at this moment: ${bytes(held[event])}`;
      side.replaceChildren(detail(state, moment, goTo));
    };
    // A node chosen while backward runs is shown in backward, if it ran there.
    const goTo = (node: number) => {
      const step = choices.event >= report.nodes.length ? report.backward.indexOf(node) : -1;
      scrub.stop();
      scrub.set(step >= 0 ? report.nodes.length + step : node);
      show(step >= 0 ? report.nodes.length + step : node);
    };
    const rows = rowsOf(report, goTo);
    const scrub = player("moments of the tape", last, Math.min(last, choices.event), (event) => saying(report, event), show, 450);
    append(
      root,
      h("section", { class: "card" }, scrub.element, chart.element, now, note("Bytes that are in memory only because operations keep them; a node gives its own back when backward has run it.")),
      h("div", { class: "two" }, h("section", { class: "card" }, rows.element), side),
    );
    show(Math.min(last, choices.event));
  },
};
