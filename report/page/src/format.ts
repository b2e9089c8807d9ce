// Numbers as text. Null is what was not computed or is not a number: a dash, never a zero.
import type { Value } from "./data";

const minus = (text: string): string => text.replace(/-/g, "\u2212");

/// Four digits, with a true minus; a power of ten where plain digits would be long.
export function number(value: Value | undefined, digits = 4): string {
  if (value === null || value === undefined) return "–";
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "\u2212∞";
  if (value === 0) return "0";
  const magnitude = Math.abs(value);
  if (Number.isInteger(value) && magnitude < 1e6) return minus(String(value));
  if (magnitude >= 1e6 || magnitude < 1e-4) {
    const [mantissa, exponent] = value.toExponential(digits - 1).split("e");
    return minus(`${Number(mantissa)}e${Number(exponent)}`);
  }
  return minus(String(Number(value.toPrecision(digits))));
}

/// As it stands in a column of equal width: a fixed number of decimals.
export function fixed(value: Value, decimals = 3): string {
  if (value === null) return "–";
  if (value === 0 || !Number.isFinite(value)) return number(value);
  if (Math.abs(value) < 0.5 * 10 ** -decimals) return number(value, 2);
  if (Math.abs(value) >= 1e4) return number(value, 3);
  return minus(value.toFixed(decimals));
}

/// In the narrow cells of a matrix: two decimals, and one digit with a power of ten for what these would hide.
export function brief(value: number, decimals = 2): string {
  if (value === 0 || !Number.isFinite(value)) return number(value);
  const magnitude = Math.abs(value);
  if (magnitude < 0.5 * 10 ** -decimals || magnitude >= 1e4) return minus(value.toExponential(0).replace("+", ""));
  return minus(value.toFixed(magnitude >= 100 ? 0 : decimals));
}

export function count(value: Value | undefined): string {
  if (value === null || value === undefined) return "–";
  return value.toLocaleString("en").replace(/,/g, "\u202f");
}

export function bytes(value: Value): string {
  if (value === null) return "–";
  if (value < 1000) return `${value} B`;
  const units = ["kB", "MB", "GB", "TB"];
  const power = Math.min(units.length, Math.floor(Math.log10(value) / 3));
  return `${number(value / 1000 ** power, 3)} ${units[power - 1]}`;
}

export const percent = (value: Value): string => (value === null ? "–" : `${number(100 * value, 3)}\u00a0%`);

export const shape = (sizes: number[] | null): string => (sizes === null ? "–" : sizes.length === 0 ? "scalar" : sizes.join("×"));

export function microseconds(value: Value): string {
  if (value === null) return "–";
  return value < 1000 ? `${number(value, 3)} µs` : value < 1e6 ? `${number(value / 1000, 3)} ms` : `${number(value / 1e6, 3)} s`;
}
