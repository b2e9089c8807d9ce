// A small matrix whose numbers are written out on the colours of the scale: windows, kernels, products. A real table, so
// that a screen reader reads it; made once and then given new numbers.
import { colourOf, css, inkOn } from "./colour";
import { h } from "./dom";
import { brief } from "./format";
import { onArrows } from "./plane";

export class Cells {
  readonly element: HTMLElement;
  private readonly cells: HTMLElement[];

  constructor(label: string, rows: number, columns: number, pick?: (row: number, column: number) => void) {
    this.cells = Array.from({ length: rows * columns }, () => h("td"));
    const lines = Array.from({ length: rows }, (_, r) => h("tr", {}, this.cells.slice(r * columns, (r + 1) * columns)));
    this.element = h("table", { class: "cells", "aria-label": label }, h("tbody", {}, lines));
    if (pick) this.makeButtons(rows, columns, pick);
  }

  // One stop of the Tab key for the whole matrix; the arrow keys go from cell to cell.
  private makeButtons(rows: number, columns: number, pick: (row: number, column: number) => void): void {
    this.cells.forEach((cell, i) => {
      const [row, column] = [Math.floor(i / columns), i % columns];
      const inner = h("button", { type: "button", tabindex: i === 0 ? 0 : -1, click: () => pick(row, column) });
      cell.append(inner);
      onArrows(inner, (dy, dx) => {
        const [y, x] = [row + dy, column + dx];
        if (y < 0 || y >= rows || x < 0 || x >= columns) return;
        pick(y, x);
        (this.cells[y * columns + x].firstElementChild as HTMLElement | null)?.focus();
      });
    });
  }

  show(values: ArrayLike<number>, bound: number, options: { inside?: boolean[]; upTo?: number; chosen?: number; decimals?: number } = {}): void {
    this.cells.forEach((cell, i) => {
      const colour = colourOf(values[i], bound);
      const target = (cell.firstElementChild as HTMLElement | null) ?? cell;
      const later = options.upTo !== undefined && i >= options.upTo;
      target.textContent = later ? "·" : brief(values[i], options.decimals);
      target.style.background = later ? "" : css(colour);
      target.style.color = later ? "" : inkOn(colour);
      target.classList.toggle("padding", options.inside !== undefined && !options.inside[i]);
      target.classList.toggle("now", options.upTo !== undefined && i === options.upTo - 1);
      target.classList.toggle("chosen", options.chosen === i);
      if (target.tagName !== "BUTTON") return;
      target.setAttribute("aria-pressed", String(options.chosen === i));
      if (options.chosen !== undefined) target.tabIndex = options.chosen === i ? 0 : -1;
    });
  }
}
