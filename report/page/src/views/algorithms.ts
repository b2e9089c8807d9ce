// Which algorithm ran each convolution in each direction, why it was chosen, and how long it should and did take.
import { moduleName, type Value } from "../data";
import { append, h, name, note, table } from "../dom";
import { microseconds, number } from "../format";
import type { State, View } from "../state";

function duration(value: Value, longest: number): HTMLElement {
  const bar = value === null ? null : h("span", { class: "bar", "aria-hidden": "true" }, h("i", { style: `width:${(100 * value) / longest}%` }));
  return h("span", { class: "measure" }, h("span", {}, microseconds(value)), bar);
}

export const algorithmsView: View = {
  id: "algorithms",
  title: "Algorithms",
  missing: (report) => (report.convolutions.some(({ algorithms }) => algorithms.length > 0) ? null : "no algorithm was recorded"),
  show(state: State, root: HTMLElement) {
    const { report } = state;
    const all = report.convolutions.flatMap((convolution) => convolution.algorithms.map((algorithm) => ({ convolution, algorithm })));
    const longest = Math.max(1e-9, ...all.flatMap(({ algorithm }) => [algorithm.predicted_us ?? 0, algorithm.measured_us ?? 0]));
    append(
      root,
      h(
        "section",
        { class: "card" },
        note("All bars are on one scale. Predicted: its multiplications and additions at the rate of a large product of matrices, measured on this machine when the page was made; an algorithm does not get there, so the ratio, measured to predicted, tells how far it is from the best."),
        table(
          "Algorithms of the convolutions",
          ["convolution", "direction", "algorithm", "predicted", "measured", "ratio", "why"],
          all.map(({ convolution, algorithm }) => [
            name(moduleName(report, convolution.module) || convolution.name),
            algorithm.direction,
            h("strong", {}, name(algorithm.name)),
            duration(algorithm.predicted_us, longest),
            duration(algorithm.measured_us, longest),
            algorithm.predicted_us && algorithm.measured_us !== null ? number(algorithm.measured_us / algorithm.predicted_us, 3) : "–",
            h("span", { class: "why" }, name(algorithm.why)),
          ]),
          [5],
        ),
      ),
    );
  },
};
