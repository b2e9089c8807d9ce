// The arrays of the report: one gzip stream in base64, unpacked once; each array is a view into it, nothing is copied.
import type { Place } from "./data";

export type Numbers = Float32Array | Uint8Array | Float64Array;

let bytes = new ArrayBuffer(0);

export async function unpack(base64: string): Promise<void> {
  const text = atob(base64.replace(/\s+/g, ""));
  const packed = new Uint8Array(text.length);
  for (let i = 0; i < text.length; ++i) packed[i] = text.charCodeAt(i);
  if (packed.length === 0) return;
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  bytes = await new Response(stream).arrayBuffer();
}

export const elements = (shape: number[]): number => shape.reduce((product, size) => product * size, 1);

export function numbers(place: Place): Numbers {
  const count = elements(place.shape);
  const width = place.dtype === "uint8" ? 1 : place.dtype === "float32" ? 4 : 8;
  if (place.at + count * width > bytes.byteLength) {
    throw new Error(`the report is cut short: an array ends at byte ${place.at + count * width} of ${bytes.byteLength}`);
  }
  if (place.dtype === "uint8") return new Uint8Array(bytes, place.at, count);
  if (place.dtype === "float32") return new Float32Array(bytes, place.at, count);
  return Float64Array.from(new BigInt64Array(bytes, place.at, count), Number);
}

/// The largest magnitude among the finite numbers of values[from, to), 0 when there is none.
export function largest(values: Numbers, from = 0, to = values.length): number {
  let found = 0;
  for (let i = from; i < to; ++i) {
    const magnitude = Math.abs(values[i]);
    if (magnitude > found && magnitude < Infinity) found = magnitude;
  }
  return found;
}
