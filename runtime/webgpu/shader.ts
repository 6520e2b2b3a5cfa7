// Which text of a shader a device gets.

import type { Shader } from "../artifact.ts";

export const plainText = (shader: Shader): string => (typeof shader === "string" ? shader : shader.plain);

/** The text for a device that has subgroups or not. */
export const textFor = (shader: Shader, subgroups: boolean): string =>
  typeof shader !== "string" && subgroups ? shader.subgroups : plainText(shader);
