// A pad to draw on, with mouse, pen, finger or keys. The net sees it in as many pixels as its images have: the mean of
// what was drawn in each.
import { button, field, h, note } from "../dom";

export interface Size {
  channels: number;
  height: number;
  width: number;
}

const edge = 280; // of the pad, about

export class Pad {
  readonly element: HTMLElement;
  private readonly cell: number; // of the pad's pixels, an edge of one of the net's
  private readonly canvas: HTMLCanvasElement;
  private readonly seen: HTMLCanvasElement;
  private readonly inverted: HTMLInputElement;
  private last: [number, number] | null = null; // where the pen was, while it is down
  private cursor: [number, number]; // of the keys
  private down = false; // of the keys
  empty = true;

  constructor(
    private readonly size: Size,
    private readonly change: (pad: Pad) => void,
  ) {
    this.cell = Math.max(1, Math.floor(edge / Math.max(size.height, size.width)));
    const [width, height] = [size.width * this.cell, size.height * this.cell];
    this.cursor = [width / 2, height / 2];
    this.canvas = h("canvas", {
      ...{ width, height, tabindex: 0, class: "pad", role: "application" },
      "aria-label": `pad of ${size.height}×${size.width} pixels: arrow keys move the pen, space sets it down and lifts it`,
      pointerdown: (event: PointerEvent) => this.begin(event),
      pointermove: (event: PointerEvent) => this.move(event),
      pointerup: () => (this.last = null),
      pointercancel: () => (this.last = null),
      keydown: (event: KeyboardEvent) => this.key(event),
    });
    this.seen = h("canvas", { width: size.width, height: size.height, class: "picture", role: "img", "aria-label": "what the net sees" });
    this.seen.style.width = `${Math.round(112 * Math.min(1, size.width / size.height))}px`;
    this.inverted = h("input", { type: "checkbox", change: () => this.changed() });
    this.element = h(
      "div",
      {},
      this.canvas,
      h("div", { class: "controls" }, button("Clear", () => this.clear()), h("label", { class: "field" }, this.inverted, "dark on light")),
      field("what the net sees", this.seen),
      note(`Bright on dark, as in most data of digits. With the keys: arrows move, space sets the pen down and lifts it.`),
    );
    this.clear();
  }

  /// Bytes [C,H,W].
  pixels(): Uint8Array<ArrayBuffer> {
    const { channels, height, width } = this.size;
    const drawn = this.context.getImageData(0, 0, this.canvas.width, this.canvas.height).data;
    const area = height * width;
    const sums = new Float64Array(area);
    for (let y = 0; y < this.canvas.height; ++y) {
      const row = Math.floor(y / this.cell) * width;
      for (let x = 0; x < this.canvas.width; ++x) sums[row + Math.floor(x / this.cell)] += drawn[4 * (y * this.canvas.width + x)];
    }
    const bytes = new Uint8Array(channels * area);
    for (let i = 0; i < area; ++i) {
      const bright = Math.round(sums[i] / this.cell ** 2);
      for (let c = 0; c < channels; ++c) bytes[c * area + i] = this.inverted.checked ? 255 - bright : bright;
    }
    return bytes;
  }

  private get context(): CanvasRenderingContext2D {
    return this.canvas.getContext("2d", { willReadFrequently: true })!;
  }

  private clear(): void {
    this.context.fillStyle = "#000";
    this.context.fillRect(0, 0, this.canvas.width, this.canvas.height);
    this.empty = true;
    this.down = false;
    this.last = null;
    this.changed();
  }

  private line([x0, y0]: [number, number], [x1, y1]: [number, number]): void {
    const { context } = this;
    context.strokeStyle = "#fff";
    context.lineCap = context.lineJoin = "round";
    context.lineWidth = this.cell * (0.6 + Math.max(this.size.height, this.size.width) / 16);
    context.beginPath();
    context.moveTo(x0, y0);
    context.lineTo(x1, y1);
    context.stroke();
    this.empty = false;
    this.changed();
  }

  private at(event: PointerEvent): [number, number] {
    const box = this.canvas.getBoundingClientRect();
    return [((event.clientX - box.left) * this.canvas.width) / box.width, ((event.clientY - box.top) * this.canvas.height) / box.height];
  }

  private begin(event: PointerEvent): void {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.last = this.at(event);
    this.line(this.last, this.last);
  }

  private move(event: PointerEvent): void {
    if (!this.last) return;
    const to = this.at(event);
    this.line(this.last, to);
    this.last = to;
  }

  private key(event: KeyboardEvent): void {
    const moves: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const move = moves[event.key];
    if (event.key !== " " && !move) return;
    event.preventDefault();
    const from = this.cursor;
    if (move) {
      const reach = this.cell / 2;
      this.cursor = [
        Math.min(this.canvas.width, Math.max(0, from[0] + reach * move[0])),
        Math.min(this.canvas.height, Math.max(0, from[1] + reach * move[1])),
      ];
    } else this.down = !this.down;
    if (this.down) this.line(from, this.cursor);
    else this.changed();
  }

  private changed(): void {
    const { height, width, channels } = this.size;
    const bytes = this.pixels();
    const context = this.seen.getContext("2d")!;
    const image = context.createImageData(width, height);
    for (let i = 0; i < height * width; ++i) {
      for (let c = 0; c < 3; ++c) image.data[4 * i + c] = bytes[(channels === 3 ? c * height * width : 0) + i];
      image.data[4 * i + 3] = 255;
    }
    context.putImageData(image, 0, 0);
    this.change(this);
  }
}
