// The training while it runs: where it stands, its curves, how to steer it, and a pad whose drawing the net of this
// moment is shown. There only where a program serves the page.
import { changingCurves } from "../curves";
import { append, announce, button, field, h, name, note } from "../dom";
import { count, number } from "../format";
import { facts, guess, training, wish, type Guess, type LiveEpoch, type News } from "../live/connection";
import "../live/live.css";
import { Pad } from "../live/pad";
import type { State, View } from "../state";

const states: Record<News["state"], string> = { running: "running", paused: "paused", finished: "finished" };

/// Runs what a button asks for, and says under it what went wrong.
function attempt(said: HTMLElement, work: () => Promise<void>): void {
  said.textContent = "";
  work().then(
    () => training.soon(0),
    (error: Error) => (said.textContent = error.message),
  );
}

function whereItStands({ step, steps, epoch, epochs, lr, images_per_second }: News): string {
  const parts = [`step ${count(step)} of ${count(steps)}`, `epoch ${Math.min(epoch, epochs)} of ${epochs}`, `learning rate ${number(lr)}`];
  if (images_per_second !== null) parts.push(`${count(Math.round(images_per_second))} images/s`);
  return parts.join(" · ");
}

function steering(): { element: HTMLElement; show: () => void } {
  const state = h("strong", { role: "status" }, "…");
  const stands = h("span");
  const said = h("p", { class: "alarm", role: "alert" });
  const pause = button("Pause", () => attempt(said, () => wish(training.news?.state === "paused" ? "/go" : "/pause")), { "data-key": "pause" });
  const one = button("One step", () => attempt(said, () => wish("/step")), { "data-key": "step" });
  const rate = h("input", { class: "rate", type: "number", min: 0, step: "any", required: true });
  const set = button("Change", () => attempt(said, () => wish("/rate", rate.value)), { "data-key": "change rate" });
  const refresh = button(
    "Show the net as it is now",
    () => {
      refresh.disabled = true;
      refresh.textContent = "Looking into the net …";
      attempt(said, async () => {
        try {
          await wish("/refresh");
          location.reload();
        } finally {
          refresh.disabled = false;
          refresh.textContent = "Show the net as it is now";
        }
      });
    },
    { "data-key": "refresh" },
  );
  const views = note();
  const show = () => {
    const { news, gone } = training;
    const text = gone ? "the program has ended, or does not answer" : news ? states[news.state] : "…";
    if (state.textContent !== text) state.textContent = text;
    if (!news) return;
    stands.textContent = whereItStands(news);
    pause.textContent = news.state === "paused" ? "Go on" : "Pause";
    for (const control of [pause, one, set, rate]) control.disabled = gone || news.state === "finished";
    if (document.activeElement !== rate && rate.value === "") rate.value = String(Number(news.lr.toPrecision(4)));
    views.textContent =
      news.step === facts!.views_of_step
        ? "The other views show the net as it is now."
        : `The other views show the net after step ${count(facts!.views_of_step)}.`;
  };
  const element = h(
    "section",
    { class: "card" },
    h("p", {}, state, " · ", stands),
    h("div", { class: "controls" }, pause, one, field("learning rate", rate), set),
    h("div", { class: "controls" }, refresh),
    views,
    said,
  );
  return { element, show };
}

function stepCurves(): { element: HTMLElement; show: () => void } {
  const loss = changingCurves({ title: "Training loss of each step", xLabel: "step", x: [], lines: [{ label: "loss", values: [], colour: 0 }] });
  const rate = changingCurves({ title: "Learning rate", xLabel: "step", x: [], lines: [{ label: "learning rate", values: [], colour: 1 }], height: 160 });
  let shown = 0;
  const show = () => {
    const { steps } = training;
    const last = steps.at(-1)?.[0] ?? 0;
    if (last === shown) return;
    shown = last;
    const x = steps.map(([step]) => step);
    loss.change(x, [steps.map(([, value]) => value)]);
    rate.change(x, [steps.map(([, , value]) => value)]);
  };
  return { element: h("section", { class: "card" }, loss.figure, rate.figure), show };
}

function epochCurves(): { element: HTMLElement; show: () => void } {
  const names: [string, keyof LiveEpoch][] = [["training", "train_loss"], ["validation", "validation_loss"], ["test", "test_loss"]];
  const accuracies: [string, keyof LiveEpoch][] = [["validation", "validation_accuracy"], ["test", "test_accuracy"]];
  const of = (lines: [string, keyof LiveEpoch][]) => lines.map(([, key]) => training.epochs.map((epoch) => epoch[key]));
  const loss = changingCurves({ title: "Loss", xLabel: "epoch", x: [], lines: names.map(([label], colour) => ({ label, values: [], colour })) });
  const accuracy = changingCurves({
    ...{ title: "Accuracy", xLabel: "epoch", x: [] },
    lines: accuracies.map(([label], i) => ({ label, values: [], colour: i + 1 })),
  });
  let shown = 0;
  const show = () => {
    if (training.epochs.length === shown) return;
    shown = training.epochs.length;
    const x = training.epochs.map(({ epoch }) => epoch);
    loss.change(x, of(names));
    accuracy.change(x, of(accuracies));
  };
  return { element: h("section", { class: "card pair" }, loss.figure, accuracy.figure), show };
}

const className = (index: number): string => facts!.classes[index] ?? String(index);

function answer({ step, probabilities }: Guess, box: HTMLElement): void {
  const most = 10;
  const all = probabilities.map((p, index) => ({ p: p ?? 0, index }));
  const falling = [...all].sort((a, b) => b.p - a.p);
  const listed = all.length <= most ? all : falling.slice(0, most);
  box.replaceChildren(
    h("h4", {}, "The net takes it for: ", name(className(falling[0].index))),
    h(
      "ul",
      { class: "bars", "aria-label": "softmax" },
      listed.map(({ p, index }) =>
        h(
          "li",
          {},
          h("span", { class: "what" }, name(className(index))),
          h("span", { class: "bar", "aria-hidden": "true" }, h("i", { style: `width:${100 * p}%` })),
          h("span", { class: "number" }, `${(100 * p).toFixed(1)}\u00a0%`),
        ),
      ),
    ),
    note(`with the weights after step ${count(step)}`),
  );
}

function drawing(): { element: HTMLElement; show: () => void } {
  const size = facts!.pad;
  if (!size) return { element: note("This net was not trained on pictures, so there is no pad to draw on."), show: () => undefined };
  const box = h("div", {}, note("Draw something."));
  const said = h("p", { class: "alarm", role: "alert" });
  let known = ""; // the drawing and the step that the answer belongs to
  let drawings = 0;
  let asking = false;
  const ask = async (pad: Pad): Promise<void> => {
    const wanted = `${drawings} ${training.news?.step}`;
    if (asking || pad.empty || wanted === known || training.gone) return;
    asking = true;
    try {
      const found = await guess(pad.pixels());
      known = wanted;
      said.textContent = "";
      if (!pad.empty) answer(found, box);
      if (wanted.startsWith(`${drawings} `)) announce(box.querySelector("h4")?.textContent ?? "");
    } catch (error) {
      known = wanted; // asked again when something has changed
      said.textContent = (error as Error).message;
    }
    asking = false;
    if (!wanted.startsWith(`${drawings} `)) void ask(pad); // drawn on meanwhile
  };
  const pad = new Pad(size, (drawn) => {
    ++drawings;
    if (drawn.empty) box.replaceChildren(note("Draw something."));
    else void ask(drawn);
  });
  const element = h("section", { class: "card" }, h("h3", {}, "Draw for the net"), h("div", { class: "drawing" }, pad.element, h("div", {}, box, said)));
  return { element, show: () => void ask(pad) };
}

export const liveView: View = {
  id: "live",
  title: "Live",
  missing: () => (facts ? null : "no program serves this page"),
  show(_state: State, root: HTMLElement) {
    const parts = [steering(), drawing(), stepCurves(), epochCurves()];
    append(root, ...parts.map(({ element }) => element));
    training.listen(() => {
      if (!root.isConnected) return false;
      for (const { show } of parts) show();
      return true;
    });
  },
};
