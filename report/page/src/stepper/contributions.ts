// A gradient as the list of the products that made it: played one by one, or read as a table.
import type { Contribution, Gradient } from "../convolution";
import { button, h, note, table } from "../dom";
import { fixed, number } from "../format";
import { player } from "../player";
import { verdict } from "./bench";

export interface Listing {
  head: HTMLElement; // the sum and the player
  table: HTMLElement;
  stop: () => void;
}

export interface GradientTab {
  element: HTMLElement;
  stop: () => void;
}

const few = 25;
const most = 1000; // rows, so that the table stays quick

function contributionTable(gradient: Gradient, factor: string): HTMLElement {
  let largestFirst = true;
  let all = false;
  const box = h("div");
  const where = ({ n, f, oy, ox }: Contribution) => `${n}, ${f}, ${oy}, ${ox}`;
  const draw = () => {
    const order = largestFirst ? [...gradient.contributions].sort((a, b) => Math.abs(b.product) - Math.abs(a.product)) : gradient.contributions;
    const shown = order.slice(0, all ? most : few);
    box.replaceChildren(
      h(
        "div",
        { class: "controls" },
        button(largestFirst ? "In the order added" : "Largest first", () => ((largestFirst = !largestFirst), draw())),
        order.length > few && button(all ? `Only ${few}` : order.length > most ? `${most} of ${order.length}` : `All ${order.length}`, () => ((all = !all), draw())),
      ),
      table(
        `Contributions, ${largestFirst ? "the largest first" : "in the order added"}`,
        ["output: sample, channel, row, column", "its gradient dL/dy", factor, "product"],
        shown.map((c) => [where(c), fixed(c.gradient, 6), fixed(c.factor, 5), fixed(c.product, 7)]),
        [1, 2, 3],
      ),
    );
  };
  draw();
  return box;
}

/// at(k) is told of the k-th contribution when it has just been added, and of none when all are.
export function listing(gradient: Gradient, absence: string, what: string, factor: string, at: (contribution: Contribution | null) => void): Listing {
  const { contributions } = gradient;
  const sums = [0];
  for (const { product } of contributions) sums.push(sums[sums.length - 1] + product);
  const running = h("p", { class: "running" });
  const show = (k: number) => {
    const done = k >= contributions.length;
    at(done || k === 0 ? null : contributions[k - 1]);
    const latest = k > 0 ? contributions[k - 1] : null;
    running.textContent =
      done || !latest
        ? `${k} of ${contributions.length} contributions: ${number(sums[k], 6)}`
        : `${number(latest.gradient, 4)} · ${number(latest.factor, 4)} = ${number(latest.product, 4)}, so far ${number(sums[k], 6)}`;
  };
  if (contributions.length === 0) {
    const head = h("div", {}, verdict("Σ of no products", gradient.sum, gradient.stored, absence), note("No output read this place, so nothing contributes: the gradient is an exact zero."));
    return { head, table: h("div"), stop: () => {} };
  }
  const play = player("contributions", contributions.length, contributions.length, (k) => `${k} of ${contributions.length}`, show, 120);
  show(contributions.length);
  const head = h("div", {}, verdict(`Σ of ${contributions.length} products ${what}`, gradient.sum, gradient.stored, absence), play.element, running);
  return { head, table: contributionTable(gradient, factor), stop: play.stop };
}
