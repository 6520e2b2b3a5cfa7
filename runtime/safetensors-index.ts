// The index of a checkpoint in several safetensors files, `model.safetensors.index.json`: which file holds which tensor. In: its text.
// Out: names of tensors by file. Trusts nothing: the files lie beside the index, and are called by no path. Does not open them.

import { UserError } from "./errors.ts";
import { duplicateKey } from "./safetensors.ts";

export const indexEnding = ".safetensors.index.json";

/** `file` is the name of the index, for messages. Errors: R0204. */
export function decodeIndex(text: string, file: string): ReadonlyMap<string, readonly string[]> {
  const fail = (reason: string): never => {
    throw new UserError("R0204", `${file} is not a valid index of safetensors files: ${reason}`, {
      file,
      help: "copy it again, or name one of the files",
    });
  };
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    fail("it is not JSON");
  }
  const map = isRecord(json) ? json["weight_map"] : undefined;
  if (!isRecord(map)) return fail("it has no `weight_map`");
  const twice = duplicateKey(text);
  if (twice !== undefined) fail(`it has ${JSON.stringify(twice.slice(0, 60))} twice`);
  const files = new Map<string, string[]>();
  for (const [tensor, part] of Object.entries(map)) {
    if (typeof part !== "string" || !/^\w[\w.-]{0,254}\.safetensors$/.test(part))
      return fail(`${JSON.stringify(part)?.slice(0, 60)} is no safetensors file beside it`);
    const names = files.get(part);
    if (names === undefined) files.set(part, [tensor]);
    else names.push(tensor);
  }
  return files;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
