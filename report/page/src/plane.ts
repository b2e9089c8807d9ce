// A plane of numbers as a picture: one pixel a number, enlarged; padding hatched around it; rectangles drawn over it. Where
// a place can be chosen, the pointer chooses it and so do the arrow keys.
import type { Numbers } from "./arrays";
import { colourOf } from "./colour";
import { announce, h, s } from "./dom";
import { number } from "./format";

export interface Mark {
  kind: "window" | "choice" | "reads";
  y: number;
  x: number;
  height?: number;
  width?: number;
}

export interface PlaneOptions {
  label: string;
  height: number;
  width: number;
  padding?: [number, number, number, number];
  size?: number; // of the longer side in CSS pixels, about
  pick?: (y: number, x: number) => void;
}

/// Draws values[offset, offset + height·width) with one canvas pixel each.
export function paint(
  context: CanvasRenderingContext2D,
  values: Numbers | number[],
  offset: number,
  [height, width]: [number, number],
  bound: number,
  [top, left]: [number, number] = [0, 0],
): void {
  const image = context.createImageData(width, height);
  for (let i = 0; i < height * width; ++i) image.data.set([...colourOf(values[offset + i], bound), 255], 4 * i);
  context.putImageData(image, left, top);
}

const arrows: Record<string, [number, number]> = {
  ArrowUp: [-1, 0],
  ArrowDown: [1, 0],
  ArrowLeft: [0, -1],
  ArrowRight: [0, 1],
};

/// Calls move with the step of an arrow key, and keeps the page from scrolling on it.
export function onArrows(element: Element, move: (dy: number, dx: number) => void): void {
  element.addEventListener("keydown", (event) => {
    const step = arrows[(event as KeyboardEvent).key];
    if (!step) return;
    event.preventDefault();
    move(...step);
  });
}

export class Plane {
  readonly element: HTMLElement;
  private readonly canvas: HTMLCanvasElement;
  private readonly overlay: SVGSVGElement;
  private readonly chosen: [number, number] = [0, 0];
  private values: Numbers | number[] = [];
  private offset = 0;

  constructor(private readonly options: PlaneOptions) {
    const { label, height, width, pick } = options;
    const [top, bottom, left, right] = options.padding ?? [0, 0, 0, 0];
    const [rows, columns] = [height + top + bottom, width + left + right];
    const cell = Math.max(1, Math.min(22, Math.floor((options.size ?? 168) / Math.max(rows, columns))));
    const share = (part: number, whole: number) => `${(100 * part) / whole}%`;
    this.canvas = h("canvas", {
      width,
      height,
      style: `left:${share(left, columns)};top:${share(top, rows)};width:${share(width, columns)};height:${share(height, rows)}`,
    });
    this.overlay = s("svg", { viewBox: `${-left} ${-top} ${columns} ${rows}`, "aria-hidden": "true" });
    const role = pick ? "application" : "img";
    this.element = h(
      "div",
      { class: "plane", role, "aria-label": label, tabindex: pick ? 0 : null, style: `width:${columns * cell}px;aspect-ratio:${columns}/${rows}` },
      this.canvas,
      this.overlay,
    );
    if (pick) this.listen(pick, [top, left], [rows, columns]);
  }

  private listen(pick: (y: number, x: number) => void, [top, left]: number[], [rows, columns]: number[]): void {
    const choose = (y: number, x: number) => {
      const inside = y >= 0 && y < this.options.height && x >= 0 && x < this.options.width;
      if (inside) pick(y, x);
    };
    this.element.classList.add("picks");
    this.element.addEventListener("pointerdown", (event) => {
      const box = this.element.getBoundingClientRect();
      const y = Math.floor(((event.clientY - box.top) / box.height) * rows) - top;
      choose(y, Math.floor(((event.clientX - box.left) / box.width) * columns) - left);
    });
    onArrows(this.element, (dy, dx) => {
      choose(this.chosen[0] + dy, this.chosen[1] + dx);
      const [y, x] = this.chosen;
      announce(`row ${y}, column ${x}: ${number(this.values[this.offset + y * this.options.width + x])}`);
    });
  }

  paint(values: Numbers | number[], offset: number, bound: number): void {
    this.values = values;
    this.offset = offset;
    paint(this.canvas.getContext("2d")!, values, offset, [this.options.height, this.options.width], bound);
  }

  /// The mark of kind "choice" is where the arrow keys go on from.
  mark(marks: Mark[]): void {
    const drawn = marks.flatMap(({ kind, y, x, height = 1, width = 1 }) => {
      if (kind === "choice") this.chosen.splice(0, 2, y, x);
      return ["halo", kind].map((className) => s("rect", { class: className, x, y, width, height }));
    });
    this.overlay.replaceChildren(...drawn);
  }
}

/// What the colours mean: the ends of the scale and zero.
export function legend(bound: number): HTMLElement {
  const stops = Array.from({ length: 11 }, (_, i) => `rgb(${colourOf(i - 5, 5).join(" ")})`);
  return h(
    "div",
    { class: "legend", role: "img", "aria-label": `colours from ${number(-bound)} through zero to ${number(bound)}` },
    h("span", {}, number(-bound, 3)),
    h("i", { style: `background:linear-gradient(90deg,${stops.join(",")})` }),
    h("span", {}, number(bound, 3)),
  );
}
