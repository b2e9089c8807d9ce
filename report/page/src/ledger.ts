// The memory ledger of the tape: what the operations together keep at each moment, up in forward, down again in backward.
import type { Report } from "./data";
import { h, s } from "./dom";
import { bytes } from "./format";

/// What a node alone keeps in memory.
export const keptBy = (report: Report, node: number): number => report.nodes[node].kept.reduce((sum, { bytes, counts }) => sum + (counts ? bytes : 0), 0);

/// Bytes kept after each event: the nodes as they are recorded, then those that backward runs, which give theirs back.
export function ledger(report: Report): number[] {
  let held = 0;
  const up = report.nodes.map((_, i) => (held += keptBy(report, i)));
  const down = report.backward.map((i) => (held -= keptBy(report, i)));
  return [...up, ...down];
}

export interface LedgerChart {
  element: HTMLElement;
  at: (event: number) => void;
}

export function ledgerChart(report: Report): LedgerChart {
  const held = ledger(report);
  const [width, height] = [640, 84];
  const peak = Math.max(0, ...held);
  const x = (event: number) => (event / Math.max(1, held.length)) * width;
  const y = (value: number) => height - (value / Math.max(1, peak)) * (height - 6);
  const steps = held.map((value, i) => `V${y(value).toFixed(1)}H${x(i + 1).toFixed(1)}`).join("");
  const turn = x(report.nodes.length);
  const cursor = s("line", { class: "cursor", y1: 0, y2: height });
  const chart = s(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: "none", role: "img", "aria-label": `memory kept for backward: at most ${bytes(peak)}` },
    s("path", { class: "area", d: `M0 ${height}${steps}V${height}Z` }),
    s("line", { class: "turn", x1: turn, x2: turn, y1: 0, y2: height }),
    cursor,
  );
  const element = h("div", { class: "ledger" }, chart, h("p", {}, h("span", {}, "forward →"), h("span", {}, `at most ${bytes(peak)}`), h("span", {}, "backward →")));
  const at = (event: number) => {
    for (const end of ["x1", "x2"]) cursor.setAttribute(end, String(x(event + 0.5)));
  };
  return { element, at };
}
