// A slider with buttons to step and to play: over the snapshots of a kernel, the pixels of a plane, the events of the tape.
import { button, freshId, h, s } from "./dom";

export interface Player {
  element: HTMLElement;
  set: (position: number) => void;
  stop: () => void;
}

const icons = {
  first: "M3 3v10M13 3 6 8l7 5z",
  back: "M11 3 4 8l7 5z",
  play: "M4 2.5 13 8l-9 5.5z",
  pause: "M4.5 3v10M11.5 3v10",
  forward: "M5 3l7 5-7 5z",
  last: "M13 3v10M3 3l7 5-7 5z",
};

const icon = (shape: keyof typeof icons): SVGSVGElement =>
  s("svg", { viewBox: "0 0 16 16", class: `icon ${shape}`, "aria-hidden": "true" }, s("path", { d: icons[shape] }));

const playing = new Set<() => void>();

/// A view that is left takes its timers with it.
export const stopPlayers = (): void => playing.forEach((stop) => stop());

export function player(
  label: string,
  last: number,
  start: number,
  describe: (position: number) => string,
  change: (position: number) => void,
  milliseconds = 500,
): Player {
  let position = start;
  let timer = 0;
  const id = freshId("player");
  const said = h("output", { for: id, class: "said" });
  const slider = h("input", { type: "range", id, min: 0, max: last, value: start, "aria-label": label, input: () => move(Number(slider.value)) });
  slider.value = String(start);
  const play = button(icon("play"), () => (timer ? stop() : run()), { "aria-label": `play: ${label}`, class: "play" });

  const reflect = () => {
    slider.value = String(position);
    slider.setAttribute("aria-valuetext", describe(position));
    said.textContent = describe(position);
  };
  const move = (to: number) => {
    position = Math.min(last, Math.max(0, to));
    reflect();
    change(position);
  };
  const stop = () => {
    clearInterval(timer);
    timer = 0;
    playing.delete(stop);
    play.replaceChildren(icon("play"));
    play.setAttribute("aria-label", `play: ${label}`);
  };
  const run = () => {
    if (position >= last) move(0);
    playing.add(stop);
    play.replaceChildren(icon("pause"));
    play.setAttribute("aria-label", `pause: ${label}`);
    timer = setInterval(() => (position >= last ? stop() : move(position + 1)), milliseconds);
  };
  reflect();
  const element = h(
    "div",
    { class: "player", role: "group", "aria-label": label },
    button(icon("first"), () => move(0), { "aria-label": "to the first" }),
    button(icon("back"), () => move(position - 1), { "aria-label": "one back" }),
    play,
    button(icon("forward"), () => move(position + 1), { "aria-label": "one step forward" }),
    button(icon("last"), () => move(last), { "aria-label": "to the last" }),
    slider,
    said,
  );
  const set = (to: number) => {
    position = to;
    reflect();
  };
  return { element, set, stop };
}
