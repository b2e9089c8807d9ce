// What the views share: the report, its convolutions, and the choices that are carried from one view to another.
import { Convolution } from "./convolution";
import type { Report } from "./data";

export type StepperTab = "forward" | "flipped" | "columns" | "pointwise" | "weight" | "input";

export interface Choices {
  sample: number;
  layer: number;
  f: number;
  y: number;
  x: number;
  tab: StepperTab;
  // y, x, iy and ix below zero: the middle, until one is chosen
  // of a weight (c within the group) and of an input pixel (channel of the whole input)
  c: number;
  ky: number;
  kx: number;
  channel: number;
  iy: number;
  ix: number;
  event: number; // of the tape
  parameter: number; // of the kernels
  snapshot: number;
}

export class State {
  readonly choices: Choices = {
    ...{ sample: 0, layer: 0, f: 0, y: -1, x: -1, tab: "forward", c: 0, ky: 0, kx: 0, channel: 0, iy: -1, ix: -1 },
    ...{ event: 0, parameter: -1, snapshot: -1 },
  };
  private readonly convolutions = new Map<number, Convolution>();

  constructor(readonly report: Report) {}

  convolution(index: number): Convolution {
    let found = this.convolutions.get(index);
    if (!found) this.convolutions.set(index, (found = new Convolution(this.report.convolutions[index])));
    return found;
  }

  /// Shows a view with these choices.
  go(view: string, choices: Partial<Choices> = {}): void {
    Object.assign(this.choices, choices);
    if (location.hash === `#${view}`) window.dispatchEvent(new HashChangeEvent("hashchange"));
    else location.hash = view;
  }
}

export interface View {
  id: string;
  title: string;
  /// Why there is nothing to show, or null.
  missing: (report: Report) => string | null;
  show: (state: State, root: HTMLElement) => void;
}
