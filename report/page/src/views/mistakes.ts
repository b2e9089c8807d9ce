// Which classes are taken for which, and the pictures on which the net was most surely wrong.
import { className, type Report } from "../data";
import { append, button, h, name, note, scroll, table } from "../dom";
import { count, percent } from "../format";
import { picture } from "../picture";
import type { State, View } from "../state";

/// Rows are what a picture is, columns what the net said; the shade is the share of the row.
function confusion(report: Report, counts: number[][]): HTMLElement {
  const cell = (row: number[], truth: number, predicted: number): HTMLElement => {
    const share = row[predicted] / Math.max(1, row.reduce((a, b) => a + b, 0));
    const kind = truth === predicted ? "right" : "wrong";
    return h("td", { class: `${kind} ${row[predicted] === 0 ? "none" : ""} ${share > 0.5 ? "full" : ""}`, style: `--share:${Math.round(100 * Math.sqrt(share))}%` }, count(row[predicted]));
  };
  const recall = (row: number[], i: number) => row[i] / Math.max(1, row.reduce((a, b) => a + b, 0));
  return scroll(
    "Confusion matrix",
    h(
      "table",
      { class: "confusion" },
      h("caption", { class: "hidden" }, "rows: the true class; columns: the class predicted"),
      h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "true \\ predicted"), counts.map((_, i) => h("th", { scope: "col" }, name(className(report, i)))), h("th", { scope: "col" }, "found"))),
      h(
        "tbody",
        {},
        counts.map((row, i) => h("tr", {}, h("th", { scope: "row" }, name(className(report, i))), row.map((_, j) => cell(row, i, j)), h("td", {}, percent(recall(row, i))))),
      ),
    ),
  );
}

const mostClasses = 40; // in a table; of more nearly every cell is a zero
const mostConfusions = 60;

/// Which class was taken for which, the most frequent first.
function confusions(report: Report, counts: number[][]): HTMLElement {
  const found = counts.flatMap((row, truth) => row.map((n, predicted) => ({ n, truth, predicted })).filter(({ n, predicted }) => n > 0 && predicted !== truth));
  found.sort((a, b) => b.n - a.n);
  if (found.length === 0) return h("p", {}, "No class was taken for another.");
  const size = counts.map((row) => row.reduce((a, b) => a + b, 0));
  const shown = found.slice(0, mostConfusions);
  return h(
    "div",
    {},
    note(`Of ${counts.length} classes a table would be zeros nearly everywhere. ${count(found.length)} pairs were confused${found.length > shown.length ? `, the ${shown.length} most frequent are` : ", all are"} listed.`),
    table(
      "The most frequent confusions",
      ["it is", "the net said", "times", "of the pictures of its class"],
      shown.map(({ n, truth, predicted }) => [name(className(report, truth)), name(className(report, predicted)), count(n), percent(n / size[truth])]),
      [2, 3],
    ),
  );
}

function confusionCard(report: Report, counts: number[][]): HTMLElement {
  if (counts.length > mostClasses) return h("section", { class: "card" }, h("h3", {}, "Confusions"), confusions(report, counts));
  return h("section", { class: "card" }, h("h3", {}, "Confusion matrix"), note("Rows: what it is. Columns: what the net said."), confusion(report, counts));
}

function mostWrong(state: State): HTMLElement {
  const { report } = state;
  return h(
    "ul",
    { class: "worst" },
    report.worst.map(({ index, label, predicted, probability, sample, picture: place }) =>
      h(
        "li",
        {},
        picture(place, `picture ${index}`, 84),
        h("p", {}, name(className(report, label)), " taken for ", h("strong", {}, name(className(report, predicted))), ` (${percent(probability)})`),
        h("p", { class: "note" }, `picture ${index}`),
        sample !== null && button("Feature maps", () => state.go("samples", { sample }), { "aria-label": `feature maps of picture ${index}` }),
        sample !== null && report.convolutions.length > 0 && button("Stepper", () => state.go("convolution", { sample, tab: "forward" }), { "aria-label": `stepper with picture ${index}` }),
      ),
    ),
  );
}

export const mistakesView: View = {
  id: "mistakes",
  title: "Mistakes",
  missing: (report) => (report.confusion || report.worst.length > 0 ? null : "nothing was evaluated"),
  show(state: State, root: HTMLElement) {
    const { report } = state;
    append(
      root,
      report.confusion && confusionCard(report, report.confusion.counts),
      h(
        "section",
        { class: "card" },
        h("h3", {}, "The most wrong"),
        report.worst.length > 0 ? mostWrong(state) : h("p", {}, "No picture was answered wrongly."),
        report.worst.length > 0 && note("A picture opens in the feature maps and the stepper when it is in the traced batch."),
      ),
    );
  },
};
