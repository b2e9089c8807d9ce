// The memory ledger of the tape: what the operations together keep at each moment, up in forward, down again in backward.
import type { Report } from "./data";
import { s } from "./dom";
import { bytes } from "./format";

export const keptBy = (report: Report, node: number): number => report.nodes[node].kept.reduce((sum, { bytes }) => sum + bytes, 0);

/// Bytes kept after each event: the nodes as they are recorded, then those that backward runs, which give theirs back.
export function ledger(report: Report): number[] {
  let held = 0;
  const up = report.nodes.map((_, i) => (held += keptBy(report, i)));
  const down = report.backward.map((i) => (held -= keptBy(report, i)));
  return [...up, ...down];
}

export interface LedgerChart {
  element: SVGSVGElement;
  at: (event: number) => void;
}

export function ledgerChart(report: Report): LedgerChart {
  const held = ledger(report);
  const [width, height, base] = [640, 90, 76];
  const peak = Math.max(1, ...held);
  const x = (event: number) => (event / Math.max(1, held.length)) * width;
  const y = (value: number) => base - (value / peak) * (base - 18);
  const steps = held.map((value, i) => `H${x(i).toFixed(1)}V${y(value).toFixed(1)}`).join("");
  const turn = x(report.nodes.length);
  const cursor = s("line", { class: "cursor", y1: 8, y2: base });
  const dot = s("circle", { class: "cursor", r: 4 });
  const element = s(
    "svg",
    { class: "ledger", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `memory kept for backward: at most ${bytes(Math.max(0, ...held))}` },
    s("path", { class: "area", d: `M0 ${base}${steps}H${width}V${base}Z` }),
    s("line", { class: "turn", x1: turn, x2: turn, y1: 8, y2: base }),
    s("text", { x: 4, y: height - 2 }, "forward"),
    s("text", { x: Math.min(turn + 4, width - 60), y: height - 2 }, "backward"),
    s("text", { x: 4, y: 12 }, `at most ${bytes(Math.max(0, ...held))}`),
    cursor,
    dot,
  );
  const at = (event: number) => {
    const middle = x(event + 0.5);
    cursor.setAttribute("x1", String(middle));
    cursor.setAttribute("x2", String(middle));
    dot.setAttribute("cx", String(middle));
    dot.setAttribute("cy", String(y(held[event])));
  };
  return { element, at };
}
