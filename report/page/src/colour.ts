// The diverging scale of all figures: blue below zero, orange above it, which every common kind of colour blindness tells
// apart; zero is the colour of the paper. Interpolated in OKLab, so that equal steps look equal.

type Colour = [number, number, number];

const linear = (c: number): number => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
const encoded = (c: number): number => (c <= 0.0031308 ? 12.92 * c : 1.055 * c ** (1 / 2.4) - 0.055);

function toLab(hex: string): Colour {
  const [r, g, b] = [1, 3, 5].map((i) => linear(parseInt(hex.slice(i, i + 2), 16) / 255));
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function toRgb([lightness, a, b]: Colour): Colour {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const rgb = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return rgb.map((c) => Math.round(255 * Math.min(1, Math.max(0, encoded(c))))) as Colour;
}

const half = 128;

function scale(negative: string[], zero: string, positive: string[]): Colour[] {
  const arm = (stops: string[], i: number): Colour => {
    const labs = [zero, ...stops].map(toLab);
    const at = (i / half) * (labs.length - 1);
    const from = Math.min(Math.floor(at), labs.length - 2);
    return toRgb(labs[from].map((c, k) => c + (at - from) * (labs[from + 1][k] - c)) as Colour);
  };
  const below = Array.from({ length: half }, (_, i) => arm(negative, half - i));
  const above = Array.from({ length: half + 1 }, (_, i) => arm(positive, i));
  return [...below, ...above];
}

const light = scale(["#6aa5d8", "#124a8c"], "#f7f6f3", ["#eb9a4b", "#9c3d00"]);
const dark = scale(["#2f6fb0", "#9cd0ff"], "#20242c", ["#b3611a", "#ffcf94"]);
const notANumber: Colour = [190, 40, 150];

const darkness = matchMedia("(prefers-color-scheme: dark)");
export const isDark = (): boolean => darkness.matches;
export const whenThemeChanges = (redraw: () => void): void => darkness.addEventListener("change", redraw);

/// The colour of value where the ends of the scale are -bound and bound.
export function colourOf(value: number, bound: number): Colour {
  if (Number.isNaN(value)) return notANumber;
  const relative = bound > 0 ? Math.min(1, Math.max(-1, value / bound)) : 0;
  return (darkness.matches ? dark : light)[Math.round(half * (1 + relative))];
}

export const css = ([r, g, b]: Colour): string => `rgb(${r} ${g} ${b})`;

/// Black or white, whichever is read better on a colour: always more than 4.5 to 1.
export function inkOn(colour: Colour): string {
  const [r, g, b] = colour.map((c) => linear(c / 255));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#000" : "#fff";
}
