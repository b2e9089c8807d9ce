// The convolution as a matrix product: each window becomes a column, each filter a row.
//   W [F, C·kh·kw] · X [C·kh·kw, oh·ow] = Y [F, oh·ow]      for one sample and one group
import { largest } from "../arrays";
import { h, note, table } from "../dom";
import { fixed } from "../format";
import { Plane } from "../plane";
import { bounds, part, range, then, verdict, type Bench } from "./bench";
import type { Steps } from "./forward";

const shownColumns = 25; // around the one of the pixel

export function columns(bench: Bench): Steps {
  const { convolution, choices } = bench;
  const { kernelHeight, kernelWidth, outWidth, outHeight, slice } = convolution;
  const bound = bounds(bench);
  const pixels = outHeight * outWidth;
  const length = slice * kernelHeight * kernelWidth;
  const filters = convolution.filters / convolution.data.groups;
  const firstFilter = Math.floor(choices.f / filters) * filters;
  const width = Math.min(pixels, shownColumns);
  const box = h("div", { class: "channel" });
  const listing = h("div");
  const result = h("div");
  const size = (long: number) => Math.min(420, 10 * long);

  const weights = new Plane({ label: "the filters as rows", height: filters, width: length, size: size(Math.max(length, filters)) });
  weights.paint(convolution.weight!, convolution.weightIndex(firstFilter, 0, 0, 0), largest(convolution.weight!));
  weights.mark([{ kind: "window", y: choices.f - firstFilter, x: 0, width: length }]);
  const windows = new Plane({ label: "the windows as columns", height: length, width, size: size(Math.max(length, width)) });
  const outputs = new Plane({ label: "the outputs", height: filters, width, size: size(Math.max(filters, width)) });

  const update = () => {
    const pixel = choices.y * outWidth + choices.x;
    const from = Math.max(0, Math.min(pixels - width, pixel - Math.floor(width / 2)));
    const shown = range(width).map((i) => convolution.products(choices.sample, choices.f, Math.floor((from + i) / outWidth), (from + i) % outWidth)!);
    const flat = shown.map((output) => output.channels.flatMap((channel) => channel.window));
    windows.paint(range(length * width).map((i) => flat[i % width][Math.floor(i / width)]), 0, bound.input);
    windows.mark([{ kind: "window", y: 0, x: pixel - from, height: length }]);
    if (convolution.output) {
      const y = range(filters * width).map((i) => convolution.output![convolution.outputIndex(choices.sample, firstFilter + Math.floor(i / width), 0, from + (i % width))]);
      outputs.paint(y, 0, largest(convolution.output));
      outputs.mark([{ kind: "choice", y: choices.f - firstFilter, x: pixel - from }]);
    }
    const here = shown[pixel - from];
    box.replaceChildren(
      part(`W: ${filters} filters × ${length}`, weights.element),
      then("·", part(`X: ${length} × windows ${from} to ${from + width - 1} of ${pixels}`, windows.element)),
      then("=", part(convolution.output ? `Y: ${filters} × ${width}` : "Y: not kept", outputs.element)),
    );
    result.replaceChildren(verdict(`row ${choices.f - firstFilter} · column ${pixel} + bias`, here.sum, here.stored));
    const rows = here.channels.flatMap((channel) =>
      channel.window.map((x, i) => [
        `${channel.channel}, ${Math.floor(i / kernelWidth)}, ${i % kernelWidth}`,
        channel.inside[i] ? fixed(x, 5) : "0 (padding)",
        fixed(channel.kernel[i], 5),
        fixed(channel.products[i], 5),
      ]),
    );
    const most = 80;
    listing.replaceChildren(
      table(`Column ${pixel}, number by number`, ["channel, row, column", "in the window", "weight", "product"], rows.slice(0, most), [1, 2, 3]),
      ...(rows.length > most ? [note(`and ${rows.length - most} more`)] : []),
    );
  };
  const element = h(
    "div",
    {},
    h("p", {}, "Each window, written out as a column, makes the convolution one matrix product. Other texts lay the windows out as rows: that is the same, transposed."),
    result,
    box,
    listing,
  );
  return { element, products: 0, update };
}
