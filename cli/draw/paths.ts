// Paths of instances, `block.0.experts.router`: a name, perhaps a number, a name, ... In: paths. Out: their parts. A path is
// all that a drawing knows of the text that a model was written in.

/** The first step of `path` below `base`, with its number: `block.0` of `block.0.experts` below "". Undefined when not below. */
export function stepBelow(base: string, path: string): string | undefined {
  if (path === base || path === "") return undefined;
  if (base !== "" && !path.startsWith(`${base}.`)) return undefined;
  const rest = base === "" ? path : path.slice(base.length + 1);
  const found = /^[^.]+(\.\d+(?=\.|$))?/.exec(rest);
  return found === null ? undefined : found[0];
}

export const joinPath = (base: string, step: string): string => (base === "" ? step : `${base}.${step}`);

export const inside = (base: string, path: string): boolean =>
  base === "" || path === base || path.startsWith(`${base}.`);

/** `block.0` -> name `block`, number 0. */
export function splitStep(step: string): { readonly name: string; readonly number?: number } {
  const found = /^(.+)\.(\d+)$/.exec(step);
  return found === null ? { name: step } : { name: found[1]!, number: Number(found[2]) };
}
