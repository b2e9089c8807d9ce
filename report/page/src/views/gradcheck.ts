// The gradient checker's report: what its tests of the derivatives found, for each input and parameter.
import { curves } from "../curves";
import type { Gradcheck, GradcheckEntry } from "../data";
import { append, h, name, note, table } from "../dom";
import { count, number, shape } from "../format";
import type { State, View } from "../state";

const words: Record<string, string> = { pass: "✓ pass", fail: "✗ fail", kink: "∧ kink", inconclusive: "? inconclusive" };

const verdict = (text: string): HTMLElement => h("span", { class: `check ${text}` }, words[text] ?? text);

/// The entry of an input whose error is largest relative to its bound; entries are only those that the checker printed.
function worstOf(check: Gradcheck, input: string): GradcheckEntry | null {
  const size = ({ absolute_error, bound }: GradcheckEntry) => (absolute_error ?? Infinity) / (bound || Number.MIN_VALUE);
  return check.worst.filter((entry) => entry.input === input).sort((a, b) => size(b) - size(a))[0] ?? null;
}

const place = (entry: GradcheckEntry): string => (entry.index ? `[${entry.index.join(",")}]` : `direction ${entry.direction}`);

function perInput(check: Gradcheck): HTMLElement {
  const rows = check.inputs.map((input) => {
    const worst = worstOf(check, input.name);
    const diagnoses = check.diagnoses.filter((diagnosis) => diagnosis.input === input.name).map(({ text, certainty }) => `${text} (${certainty})`);
    const said = worst ? verdict(worst.verdict) : (check.fail > 0 ? "not among the worst" : verdict(check.verdict));
    return [
      name(input.name),
      shape(input.shape),
      input.connected ? said : "not connected: the result does not depend on it",
      worst ? place(worst) : "–",
      worst ? number(worst.analytic, 6) : "–",
      worst ? number(worst.numeric, 6) : "–",
      worst ? number(worst.absolute_error, 2) : "–",
      worst ? number(worst.bound, 2) : "–",
      diagnoses.length > 0 ? name(diagnoses.join("; ")) : "–",
    ];
  });
  return table("Each input and parameter", ["name", "shape", "verdict", "worst at", "analytic", "numeric", "error", "bound", "diagnosis"], rows, [4, 5, 6, 7]);
}

function sweep(check: Gradcheck): HTMLElement | null {
  const worst = check.worst[0];
  const analytic = worst?.analytic;
  const steps = check.sweep.filter(({ h, central }) => h !== null && central !== null);
  if (analytic === null || analytic === undefined || steps.length < 2) return null;
  const sorted = [...steps].sort((a, b) => a.h! - b.h!);
  const difference = sorted.map(({ central }) => Math.abs(central! - analytic));
  return h(
    "section",
    { class: "card" },
    h("h3", {}, "The step of the difference quotient"),
    note("With large steps the curve of the function shows, with small ones rounding: a right derivative has its least error in between."),
    curves({
      title: `Distance of the central difference from the analytic derivative of ${worst.input} ${place(worst)}`,
      xLabel: "step h",
      x: sorted.map(({ h }) => h!),
      lines: [
        { label: "distance", values: difference },
        { label: "rounding", values: sorted.map(({ rounding }) => rounding) },
      ],
      logX: true,
      logY: true,
    }),
  );
}

/// What a check must have for this view to show it.
function isWhole(check: Gradcheck): boolean {
  const lists = [check.diagnoses, check.notes, check.not_exercised, check.worst, check.inputs, check.sweep];
  return typeof check.subject === "string" && typeof check.verdict === "string" && lists.every(Array.isArray);
}

export const gradcheckView: View = {
  id: "gradcheck",
  title: "Gradient check",
  missing: ({ gradcheck }) => (!gradcheck ? "no gradient check was made" : isWhole(gradcheck) ? null : "the gradient check is not one"),
  show(state: State, root: HTMLElement) {
    const check = state.report.gradcheck!;
    const counts = [`${count(check.pass)} pass`, `${count(check.fail)} fail`, `${count(check.kink)} at a kink`, `${count(check.inconclusive)} inconclusive`];
    append(
      root,
      h(
        "section",
        { class: "card" },
        h("p", { class: "big" }, verdict(check.verdict)),
        h("p", {}, name(check.subject), `, derivatives of order ${check.order}: `, counts.join(", "), "."),
        h("p", {}, `${count(check.elements)} single elements and ${count(check.directions)} directions; worst relative error ${number(check.worst_relative_error, 3)}.`),
        check.taylor && h("p", {}, "Taylor test: ", verdict(check.taylor.verdict), `, orders ${check.taylor.orders.map((order) => number(order, 4)).join(", ")} (2 is right).`),
        check.diagnoses.filter(({ input }) => !check.inputs.some((i) => i.name === input)).map(({ text }) => h("p", { class: "finding is-bad" }, name(text))),
        check.notes.map((text) => note(name(text))),
        check.not_exercised.length > 0 && note("Not exercised: ", name(check.not_exercised.join(", "))),
      ),
      h("section", { class: "card" }, h("h3", {}, "Each input and parameter"), perInput(check)),
      sweep(check),
    );
  },
};
