// Numbers as people read them. In: numbers. Out: short text; the same on every machine, whatever its language.

/** 1,214,822 */
export const whole = (value: number): string => String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ",");

const scaled = (value: number, step: number, units: readonly string[]): string => {
  let at = 0;
  while (Math.abs(value) >= step * 0.9995 && at < units.length - 1) {
    value /= step;
    at++;
  }
  const text = at === 0 ? whole(value) : value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0);
  return units[at] === "" ? text : `${text} ${units[at]}`;
};

/** 1.91 M, 671 B */
export const count = (value: number): string => scaled(value, 1000, ["", "k", "M", "B", "T", "P", "E"]);
/** 12.3 MiB */
export const bytes = (value: number): string => scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB", "PiB"]);
/** 2.53 GFLOP */
export const flops = (value: number): string =>
  scaled(value, 1000, ["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP", "EFLOP"]);

/** Four significant digits, as a loss is read. */
export function loss(value: number): string {
  if (!Number.isFinite(value)) return String(value);
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e5)) return value.toExponential(2);
  return value.toFixed(Math.abs(value) < 10 ? 3 : Math.abs(value) < 100 ? 2 : 1);
}

/** 2 m 41 s */
export function duration(seconds: number): string {
  if (!Number.isFinite(seconds)) return "?";
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const s = Math.round(seconds);
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} m ${s % 60} s`;
  return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} m`;
}

export const percent = (share: number): string => `${(100 * share).toFixed(1)} %`;

/** "1 file", "3 files" */
export const plural = (number: number, noun: string): string =>
  `${whole(number)} ${noun}${number === 1 ? "" : "s"}`;
