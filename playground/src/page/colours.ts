// Colours of experts: one for each, the same in the chart of loads, on the plane and in the routing. In: the number of an expert, how
// many there are, the theme. Out: red, green and blue. Hues lie evenly on a circle of equal strength (OKLCH, after B. Ottosson's
// OKLab); neighbours also differ in lightness, for those who see fewer hues.

export type Rgb = readonly [number, number, number];

/** Null experts, and places that nobody takes. */
const nobody: Readonly<Record<"light" | "dark", Rgb>> = { light: [205, 201, 194], dark: [62, 60, 57] };

export const isDark = (): boolean => document.documentElement.dataset["theme"] === "dark";

export function expertColour(index: number, experts: number): Rgb {
  const dark = isDark();
  if (index < 0 || index >= experts) return dark ? nobody.dark : nobody.light;
  const hue = 42 + (360 * index) / Math.max(1, experts);
  const lift = [0, 0.05, -0.05][index % 3]!;
  return fromOklch((dark ? 0.66 : 0.71) + lift, dark ? 0.1 : 0.105, hue);
}

export const cssColour = ([red, green, blue]: Rgb, alpha = 1): string =>
  `rgb(${red} ${green} ${blue} / ${alpha})`;

function fromOklch(lightness: number, chroma: number, hue: number): Rgb {
  const angle = (hue * Math.PI) / 180;
  const [a, b] = [chroma * Math.cos(angle), chroma * Math.sin(angle)];
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    channel(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    channel(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    channel(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

function channel(linear: number): number {
  const kept = Math.max(0, Math.min(1, linear));
  const shown = kept <= 0.0031308 ? 12.92 * kept : 1.055 * kept ** (1 / 2.4) - 0.055;
  return Math.round(255 * shown);
}

/** A colour of the style sheet. */
export const styleColour = (name: string): string =>
  getComputedStyle(document.documentElement).getPropertyValue(name).trim();
