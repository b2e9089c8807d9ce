// The pictures of samples, as they were read: uint8 [C,H,W], grey with one channel, coloured with three.
import { numbers } from "./arrays";
import type { Place } from "./data";
import { h } from "./dom";

/// Without a label the picture is decoration: what stands beside it says what it is.
export function picture(place: Place | null, label: string, size: number): HTMLElement {
  if (place === null) return h("span", { class: "absent small", style: `width:${size}px;height:${size}px` }, "not kept");
  const [channels, height, width] = place.shape;
  const values = numbers(place);
  const canvas = h("canvas", { width, height, class: "picture", ...(label ? { role: "img", "aria-label": label } : { "aria-hidden": "true" }) });
  canvas.style.width = `${Math.round(size * Math.min(1, width / height))}px`;
  canvas.style.height = `${Math.round(size * Math.min(1, height / width))}px`;
  const context = canvas.getContext("2d")!;
  const image = context.createImageData(width, height);
  const area = height * width;
  for (let i = 0; i < area; ++i) {
    for (let c = 0; c < 3; ++c) image.data[4 * i + c] = values[(channels === 3 ? c * area : 0) + i];
    image.data[4 * i + 3] = 255;
  }
  context.putImageData(image, 0, 0);
  return canvas;
}
