// The run: what was trained, how to repeat it, and its curves, raw and smoothed.
import { curves, type Line } from "../curves";
import type { Epoch, Run, Value } from "../data";
import { append, button, download, field, h, name, note, table } from "../dom";
import { number } from "../format";
import type { State, View } from "../state";

const states: Record<Run["state"], string> = {
  finished: "finished",
  interrupted: "interrupted: it stopped before its last epoch",
  diverged: "diverged: the loss is no longer a number",
  running: "still running when this page was written",
};

/// An average that forgets by the factor given at each step, corrected for its start at zero. Gaps stay gaps.
function smoothed(values: Value[], factor: number): Value[] {
  let average = 0;
  let weight = 0;
  return values.map((value) => {
    if (value === null || !Number.isFinite(value)) return null;
    average = factor * average + (1 - factor) * value;
    weight = factor * weight + (1 - factor);
    return average / weight;
  });
}

const epochColumns: [keyof Epoch, string][] = [
  ["loss", "loss"],
  ["accuracy", "accuracy"],
  ["validation_loss", "validation loss"],
  ["validation_accuracy", "validation accuracy"],
  ["test_loss", "test loss"],
  ["test_accuracy", "test accuracy"],
  ["learning_rate", "learning rate"],
  ["seconds", "seconds"],
];

function csv(head: string[], rows: (Value | undefined)[][]): string {
  return [head, ...rows.map((row) => row.map((cell) => cell ?? ""))].map((row) => row.join(",")).join("\n") + "\n";
}

function command(run: Run): HTMLElement {
  const text = h("code", {}, run.command);
  const said = h("span", { role: "status" });
  const copy = button("Copy", () => {
    navigator.clipboard.writeText(run.command).then(
      () => (said.textContent = "copied"),
      () => {
        getSelection()?.selectAllChildren(text);
        said.textContent = "selected: copy it with the keyboard";
      },
    );
  });
  return h("div", { class: "command" }, text, copy, said);
}

function facts(run: Run): HTMLElement {
  const pairs: [string, string][] = [
    ["folder", run.folder],
    ["state", states[run.state] ?? run.state],
    ["seed", String(run.seed)],
    ["checksum of the weights", run.checksum],
    ...run.settings,
  ];
  return h("dl", { class: "facts" }, pairs.map(([key, value]) => h("div", {}, h("dt", {}, name(key)), h("dd", {}, name(value)))));
}

function stepCurves(run: Run): HTMLElement {
  const x = run.steps.map(({ step }) => step);
  const raw = run.steps.map(({ loss }) => loss);
  const box = h("div");
  const amount = h("input", { type: "range", min: 0, max: 99, value: 90, input: () => draw() });
  const draw = () => {
    const factor = Number(amount.value) / 100;
    const lines: Line[] = [
      { label: "raw", values: raw, faint: true, colour: 0 },
      { label: `smoothed (${factor})`, values: smoothed(raw, factor), colour: 0 },
    ];
    box.replaceChildren(curves({ title: "Training loss of each step", xLabel: "step", x, lines }));
  };
  draw();
  const save = () => download("steps.csv", csv(["step", "loss", "learning_rate"], run.steps.map((s) => [s.step, s.loss, s.learning_rate])));
  return h(
    "section",
    { class: "card" },
    h("div", { class: "controls" }, field("smoothing", amount), button("Steps as CSV", save)),
    box,
    curves({ title: "Learning rate", xLabel: "step", x, lines: [{ label: "learning rate", values: run.steps.map((s) => s.learning_rate), colour: 1 }], height: 160 }),
  );
}

function epochCurves(run: Run): HTMLElement {
  const x = run.epochs.map(({ epoch }) => epoch);
  const has = (key: keyof Epoch) => run.epochs.some((epoch) => epoch[key] !== null && epoch[key] !== undefined);
  const line = (key: keyof Epoch, label: string, colour: number): Line[] =>
    has(key) ? [{ label, values: run.epochs.map((epoch) => epoch[key] ?? null), colour }] : [];
  const kept = epochColumns.filter(([key]) => has(key));
  const save = () => download("epochs.csv", csv(["epoch", ...kept.map(([key]) => key)], run.epochs.map((e) => [e.epoch, ...kept.map(([key]) => e[key])])));
  const losses = [...line("loss", "training", 0), ...line("validation_loss", "validation", 1), ...line("test_loss", "test", 2)];
  const accuracies = [...line("accuracy", "training", 0), ...line("validation_accuracy", "validation", 1), ...line("test_accuracy", "test", 2)];
  return h(
    "section",
    { class: "card" },
    h("div", { class: "controls" }, button("Epochs as CSV", save)),
    h(
      "div",
      { class: "pair" },
      losses.length > 0 && curves({ title: "Loss", xLabel: "epoch", x, lines: losses }),
      accuracies.length > 0 && curves({ title: "Accuracy", xLabel: "epoch", x, lines: accuracies }),
    ),
    table(
      "Every epoch",
      ["epoch", ...kept.map(([, label]) => label)],
      run.epochs.map((epoch) => [epoch.epoch, ...kept.map(([key]) => number(epoch[key]))]),
      kept.map((_, i) => i + 1),
    ),
  );
}

export const runView: View = {
  id: "run",
  title: "Run",
  missing: (report) => (report.run ? null : "no run"),
  show(state: State, root: HTMLElement) {
    const run = state.report.run!;
    if (run.state === "diverged") root.append(h("p", { class: "finding is-bad" }, "This run diverged: where a curve ends, the loss was no longer a number. The weights are the last that were kept before that."));
    append(
      root,
      h("section", { class: "card" }, h("h3", {}, "Settings"), facts(run), h("h3", {}, "To repeat it"), command(run), run.caveat && note(name(run.caveat))),
      run.steps.length > 0 && stepCurves(run),
      run.epochs.length > 0 ? epochCurves(run) : note("No epoch was finished, so there is no curve of epochs."),
    );
  },
};
