// Many planes of one size in a grid on one canvas: the channels of a feature map, the kernels of a layer. The pointer and
// the arrow keys choose a plane; what is under the pointer can be read.
import type { Numbers } from "./arrays";
import { announce, h, s } from "./dom";
import { onArrows, paint } from "./plane";

export interface MosaicOptions {
  label: string;
  planes: number;
  height: number;
  width: number;
  columns?: number;
  cell?: number; // CSS pixels of a number
  describe: (plane: number, y: number, x: number) => string;
  open?: (plane: number, y: number, x: number) => void;
}

export class Mosaic {
  readonly element: HTMLElement;
  private readonly canvas: HTMLCanvasElement;
  private readonly overlay: SVGSVGElement;
  private readonly readout: HTMLElement;
  private readonly columns: number;
  private readonly gap: number;
  private plane = 0;

  constructor(private readonly options: MosaicOptions) {
    const { planes, height, width, label } = options;
    const cell = options.cell ?? Math.max(1, Math.min(16, Math.round(88 / Math.max(height, width))));
    this.gap = Math.max(1, Math.round(8 / cell));
    this.columns = Math.min(planes, options.columns ?? Math.max(1, Math.floor(900 / ((width + this.gap) * cell))));
    const rows = Math.ceil(planes / this.columns);
    const pixelWidth = this.columns * (width + this.gap) - this.gap;
    const pixelHeight = rows * (height + this.gap) - this.gap;
    this.canvas = h("canvas", { width: pixelWidth, height: pixelHeight });
    this.overlay = s("svg", { viewBox: `0 0 ${pixelWidth} ${pixelHeight}`, "aria-hidden": "true" });
    this.readout = h("p", { class: "readout" }, "\u00a0");
    const frame = h(
      "div",
      { class: "mosaic", role: "application", "aria-label": label, tabindex: 0, style: `width:${pixelWidth * cell}px;aspect-ratio:${pixelWidth}/${pixelHeight}` },
      this.canvas,
      this.overlay,
    );
    this.element = h("div", { class: "mosaic-box" }, h("div", { class: "sideways" }, frame), this.readout);
    if (options.open) frame.classList.add("picks");
    this.listen(frame, pixelWidth, pixelHeight);
  }

  private listen(frame: HTMLElement, pixelWidth: number, pixelHeight: number): void {
    const { height, width, planes, describe, open } = this.options;
    const under = (event: PointerEvent): [number, number, number] | null => {
      const box = frame.getBoundingClientRect();
      const y = Math.floor(((event.clientY - box.top) / box.height) * pixelHeight);
      const x = Math.floor(((event.clientX - box.left) / box.width) * pixelWidth);
      const [row, column] = [Math.floor(y / (height + this.gap)), Math.floor(x / (width + this.gap))];
      const [inY, inX] = [y - row * (height + this.gap), x - column * (width + this.gap)];
      const plane = row * this.columns + column;
      return inY < height && inX < width && inX >= 0 && inY >= 0 && plane < planes ? [plane, inY, inX] : null;
    };
    frame.addEventListener("pointermove", (event) => {
      const place = under(event);
      if (place) this.readout.textContent = describe(...place);
    });
    frame.addEventListener("click", (event) => {
      const place = under(event as PointerEvent);
      if (place) open?.(...place);
    });
    const middle = (): [number, number, number] => [this.plane, Math.floor(height / 2), Math.floor(width / 2)];
    onArrows(frame, (dy, dx) => {
      const next = this.plane + dy * this.columns + dx;
      if (next < 0 || next >= planes) return;
      this.plane = next;
      this.ring();
      this.readout.textContent = describe(...middle());
      announce(describe(...middle()));
    });
    frame.addEventListener("focus", () => this.ring());
    frame.addEventListener("blur", () => this.overlay.replaceChildren());
    frame.addEventListener("keydown", (event) => {
      if (event.key === "Enter") open?.(...middle());
    });
  }

  private ring(): void {
    const { height, width } = this.options;
    const [row, column] = [Math.floor(this.plane / this.columns), this.plane % this.columns];
    const place = { x: column * (width + this.gap), y: row * (height + this.gap), width, height };
    this.overlay.replaceChildren(s("rect", { class: "halo", ...place }), s("rect", { class: "choice", ...place }));
  }

  /// The plane p begins at values[offset + p·height·width].
  paint(values: Numbers, offset: number, boundOf: (plane: number) => number): void {
    const { planes, height, width } = this.options;
    const context = this.canvas.getContext("2d")!;
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    for (let p = 0; p < planes; ++p) {
      const top = Math.floor(p / this.columns) * (height + this.gap);
      const left = (p % this.columns) * (width + this.gap);
      paint(context, values, offset + p * height * width, [height, width], boundOf(p), [top, left]);
    }
  }
}
