// Whether gradients flow: the doctor's findings in plain words, norms and update ratios of the parameters, what each module
// puts out and what comes back to it.
import { curves } from "../curves";
import { moduleName, type Activity, type Finding, type Histogram, type Parameter, type Report, type Value } from "../data";
import { append, field, h, name, note, s, select, table } from "../dom";
import { count, number, percent } from "../format";
import type { State, View } from "../state";

const severities: Record<Finding["severity"], string> = { bad: "Wrong", warning: "Look at this", note: "Good to know" };

function findings(report: Report): HTMLElement {
  const shown = report.doctor.map((finding) =>
    h(
      "article",
      { class: `finding is-${finding.severity}` },
      h("h4", {}, h("span", { class: "severity" }, severities[finding.severity] ?? finding.severity), name(finding.title)),
      finding.where && h("p", { class: "note" }, "in ", name(finding.where)),
      h("p", {}, name(finding.evidence)),
      h("p", { class: "advice" }, name(finding.advice)),
    ),
  );
  return h("section", { class: "card" }, h("h3", {}, "The doctor"), shown.length > 0 ? shown : h("p", {}, "Nothing looks wrong."));
}

/// A bar on a logarithmic scale, since norms differ by powers of ten; no bar for what is not a positive number.
function logBar(value: Value, low: number, high: number): HTMLElement {
  const share = value !== null && value > 0 ? Math.max(0.02, (Math.log10(value) - low) / Math.max(1e-9, high - low)) : 0;
  return h("span", { class: "measure" }, h("span", {}, number(value, 3)), h("span", { class: "bar", "aria-hidden": "true" }, h("i", { style: `width:${100 * Math.min(1, share)}%` })));
}

function logRange(values: Value[]): [number, number] {
  const logs = values.filter((v): v is number => v !== null && v > 0 && Number.isFinite(v)).map(Math.log10);
  return logs.length > 0 ? [Math.floor(Math.min(...logs) - 0.5), Math.ceil(Math.max(...logs))] : [0, 1];
}

function norms(report: Report): HTMLElement {
  const column = (key: "norm" | "gradient_norm" | "update_ratio") => {
    const [low, high] = logRange(report.parameters.map((p) => p[key]));
    return (parameter: Parameter) => (parameter[key] === null ? h("span", { class: "quiet" }, "not computed") : logBar(parameter[key], low, high));
  };
  const [norm, gradient, ratio] = [column("norm"), column("gradient_norm"), column("update_ratio")];
  return h(
    "section",
    { class: "card" },
    h("h3", {}, "Weights and their gradients"),
    note("Update ratio: the length of the last step beside that of the weights; about 0.001 is usual. Bars are logarithmic."),
    table(
      "Norms of the parameters",
      ["parameter", "‖w‖", "‖dL/dw‖", "update ratio"],
      report.parameters.map((p) => [name(p.name), norm(p), gradient(p), ratio(p)]),
    ),
  );
}

function overTime(report: Report): HTMLElement | null {
  const flowing = report.parameters.filter(({ flow }) => flow.length > 1);
  if (flowing.length === 0) return null;
  const quantities = ["update_ratio", "gradient_norm", "norm"] as const;
  const titles = ["update ratio", "norm of the gradient", "norm of the weights"];
  let [quantity, parameter] = [0, 0];
  const box = h("div");
  const draw = () => {
    const { flow } = flowing[parameter];
    const lines = [{ label: titles[quantity], values: flow.map((at) => at[quantities[quantity]]) }];
    box.replaceChildren(curves({ title: `${titles[quantity]} of ${flowing[parameter].name}`, xLabel: "epoch", x: flow.map(({ epoch }) => epoch), lines, logY: true, height: 220 }));
  };
  draw();
  return h(
    "section",
    { class: "card" },
    h("h3", {}, "Over the run"),
    h(
      "div",
      { class: "controls" },
      field("parameter", select(flowing.map((p) => p.name), 0, (i) => ((parameter = i), draw()))),
      field("what", select(titles, 0, (i) => ((quantity = i), draw()))),
    ),
    box,
  );
}

function histogram({ low, high, counts }: Histogram, label: string): HTMLElement {
  const most = Math.max(1, ...counts);
  const [width, height] = [180, 44];
  const bar = width / Math.max(1, counts.length);
  const zero = low !== null && high !== null && low < 0 && high > 0 ? (-low / (high - low)) * width : null;
  const bars = counts.map((n, i) => s("rect", { x: i * bar, y: height - (n / most) * height, width: Math.max(0.5, bar - 1), height: (n / most) * height }));
  const line = zero === null ? null : s("line", { x1: zero, x2: zero, y1: 0, y2: height });
  return h(
    "div",
    { class: "histogram" },
    s("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": `${label}: from ${number(low)} to ${number(high)}, the fullest bin has ${most}` }, bars, line),
    h("div", { class: "ends", "aria-hidden": "true" }, h("span", {}, number(low, 2)), h("span", {}, number(high, 2))),
  );
}

function activityRow(report: Report, activity: Activity): (Node | string)[] {
  const module = moduleName(report, activity.module);
  const { gradient } = activity;
  return [
    name(module),
    `${number(activity.mean, 3)} ± ${number(activity.deviation, 3)}`,
    histogram(activity.histogram, `outputs of ${module}`),
    activity.dead === null ? "–" : h("span", { class: activity.dead > 0.5 ? "alarm" : null }, percent(activity.dead)),
    gradient ? `${number(gradient.mean, 3)} ± ${number(gradient.deviation, 3)}` : h("span", { class: "quiet" }, "not computed"),
    gradient ? histogram(gradient.histogram, `gradients at ${module}`) : "",
  ];
}

export const flowView: View = {
  id: "flow",
  title: "Gradient flow",
  // Before anybody has looked into the net, it cannot be said that nothing is wrong with it.
  missing: ({ doctor, parameters, activity }) => (doctor.length + parameters.length + activity.length > 0 ? null : "nothing was looked at"),
  show(state: State, root: HTMLElement) {
    const { report } = state;
    append(
      root,
      findings(report),
      report.parameters.length > 0 && norms(report),
      overTime(report),
      report.activity.length > 0 &&
        h(
          "section",
          { class: "card" },
          h("h3", {}, "What each module puts out, and what comes back"),
          note("Dead: units that are zero for every sample of the batch. The line in a histogram is zero."),
          table(
            "Activity of the modules",
            ["module", "output: mean ± deviation", "histogram", "dead units", "gradient: mean ± deviation", "histogram"],
            report.activity.map((activity) => activityRow(report, activity)),
          ),
        ),
      note(`${count(report.parameters.length)} parameters, ${count(report.activity.length)} modules measured.`),
    );
  },
};
