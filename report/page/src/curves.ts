// Curves over epochs or steps, drawn by uPlot in the colours of the page. Beside its colour each line has dashes of its
// own, and the numbers are in a table or a file elsewhere on the page.
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import type { Value } from "./data";
import { h } from "./dom";
import { number } from "./format";

export interface Line {
  label: string;
  values: Value[];
  faint?: boolean;
  colour?: number; // of the four; the place in the list when it is not given
}

export interface Curves {
  title: string;
  xLabel: string;
  x: number[];
  lines: Line[];
  logX?: boolean;
  logY?: boolean;
  height?: number;
}

const dashes = [[], [8, 4], [2, 3], [8, 3, 2, 3]];

/// Steps and epochs are whole numbers, and so are the marks on their axis.
const whole = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6];

const variable = (name: string): string => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function options({ lines, xLabel, logX, logY, height = 260 }: Curves, width: number): uPlot.Options {
  const ink = variable("--quiet");
  const font = "12px system-ui, sans-serif";
  const rule = { stroke: variable("--line"), width: 1 };
  // Of a logarithmic axis only the powers of ten are ruled.
  const powers = (_: uPlot, splits: number[]) => splits.map((at) => (Math.abs(Math.log10(at) % 1) < 1e-6 ? at : null));
  const grid = (log: boolean | undefined) => (log ? { ...rule, filter: powers } : rule);
  const values = (_: uPlot, ticks: (number | null)[]) => ticks.map((tick) => (tick === null ? "" : number(tick, 3)));
  return {
    width,
    height,
    legend: { live: true },
    cursor: { y: false, drag: { x: true, y: false } },
    scales: { x: { time: false, distr: logX ? 3 : 1 }, y: { distr: logY ? 3 : 1 } },
    axes: [
      { stroke: ink, font, grid: grid(logX), ticks: grid(logX), ...(logX ? {} : { incrs: whole }), label: xLabel, labelFont: font, labelSize: 20, values },
      { stroke: ink, font, grid: grid(logY), ticks: grid(logY), size: 64, values },
    ],
    series: [
      { label: xLabel, value: (_, at) => number(at) },
      ...lines.map(({ label, faint, colour }, i) => ({
        label,
        stroke: variable(`--series-${((colour ?? i) % 4) + 1}`) + (faint ? "66" : ""),
        width: faint ? 1 : 2,
        dash: faint ? [] : dashes[(colour ?? i) % 4],
        points: { show: (plot: uPlot) => plot.data[0].length < 40 && !faint, size: 5 },
        value: (_: uPlot, at: number) => number(at),
      })),
    ],
  };
}

/// A logarithm has no place for zero and less.
const drawable = (values: Value[], log: boolean | undefined): Value[] =>
  values.map((value) => (value !== null && (!Number.isFinite(value) || (log && value <= 0)) ? null : value));

export interface ChangingCurves {
  figure: HTMLElement;
  /// The values of each line, in the order of the lines.
  change: (x: number[], values: Value[][]) => void;
}

export const curves = (data: Curves): HTMLElement => changingCurves(data).figure;

export function changingCurves(data: Curves): ChangingCurves {
  const box = h("div", { class: "curves" });
  const figure = h("figure", { role: "group" }, h("figcaption", {}, data.title), box);
  let columns: uPlot.AlignedData;
  let plot: uPlot | null = null;
  const change = (x: number[], values: Value[][]) => {
    const last = data.lines.map(({ label }, i) => `${label} ends at ${number(values[i].at(-1))}`).join("; ");
    figure.setAttribute("aria-label", `${data.title} over ${data.xLabel}: ${last}`);
    columns = [x, ...values.map((line) => drawable(line, data.logY))] as uPlot.AlignedData;
    plot?.setData(columns);
  };
  change(data.x, data.lines.map(({ values }) => values));
  new ResizeObserver(([entry]) => {
    const width = Math.floor(entry.contentRect.width);
    if (width < 50) return;
    if (plot) plot.setSize({ width, height: data.height ?? 260 });
    else plot = new uPlot(options(data, width), columns, box);
  }).observe(box);
  return { figure, change };
}
