// Any array as a picture: of the batch one sample, of its channels a mosaic; a matrix as one plane; a single number as
// text. What is absent is said and hatched, never drawn as zeros.
import { largest, numbers } from "./arrays";
import type { Place } from "./data";
import { h, note } from "./dom";
import { number, shape } from "./format";
import { Mosaic } from "./mosaic";
import { legend } from "./plane";

const most = 64; // planes

export const absent = (why: string): HTMLElement => h("div", { class: "absent" }, why);

export function tensorPicture(place: Place | null, label: string, sample: number, whenAbsent: string): HTMLElement {
  if (place === null) return absent(whenAbsent);
  const values = numbers(place);
  if (values.length === 0) return note("an array without elements");
  if (values.length === 1) return h("p", { class: "scalar" }, number(values[0], 7));
  const sizes = place.shape;
  const isBatch = sizes.length === 4;
  const [planes, height, width] = isBatch
    ? sizes.slice(1)
    : sizes.length === 1
      ? [1, 1, sizes[0]]
      : [1, sizes[0], sizes.slice(1).reduce((a, b) => a * b, 1)];
  const first = isBatch ? Math.min(sample, sizes[0] - 1) * planes * height * width : 0;
  const shown = Math.min(planes, most);
  const bound = largest(values, first, first + shown * height * width);
  const mosaic = new Mosaic({
    label: `${label}, ${shape(sizes)}`,
    planes: shown,
    height,
    width,
    columns: planes > 1 ? Math.max(1, Math.min(planes, Math.floor(420 / 52))) : 1,
    cell: planes > 1 ? Math.max(1, Math.min(12, Math.round(44 / Math.max(height, width)))) : Math.max(1, Math.min(16, Math.floor(400 / Math.max(height, width)))),
    describe: (plane, y, x) => `${planes > 1 ? `[${plane}] ` : ""}[${y},${x}] = ${number(values[first + (plane * height + y) * width + x], 5)}`,
  });
  mosaic.paint(values, first, () => bound);
  const which = isBatch ? note(`sample ${first / (planes * height * width)} of ${sizes[0]}${shown < planes ? `, ${shown} of its ${planes} channels` : ""}`) : "";
  return h("div", {}, mosaic.element, legend(bound), which);
}
