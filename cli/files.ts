// Files: reading texts that a user named, writing results so that nobody ever sees half of one. Node only.
// In: paths as the user gave them, and the folder they are relative to. Out: texts, or a UserError with the system's reason.

import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { createHash } from "node:crypto";
import { basename, dirname, join, resolve } from "node:path";
import { nearest } from "../grammar/spelling.ts";
import { UserError } from "../runtime/errors.ts";
import { codeOf, reasonOf as systemReason } from "../runtime/system-error.ts";

/** The system's reason in words; other errors are ours and pass through. */
function reasonOf(error: unknown): string {
  if (codeOf(error) === "") throw error;
  return systemReason(error);
}

/** Bytes of a file that must be there. `shown`: the path as the user knows it. */
export function readBytes(folder: string, shown: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(readFileSync(resolve(folder, shown)));
  } catch (error) {
    const code = codeOf(error);
    if (code === "ENOENT")
      throw new UserError("C0101", `there is no file ${shown}`, { file: shown, help: nearby(folder, shown) });
    if (code === "EISDIR")
      throw new UserError("C0102", `${shown} is a folder`, { file: shown, help: "give a file in it" });
    throw new UserError("C0104", `cannot read ${shown}: ${reasonOf(error)}`, {
      file: shown,
      help: "make the file readable",
    });
  }
}

/** What may have been meant by a path that names nothing. */
export function nearby(folder: string, shown: string): string {
  const parent = dirname(shown);
  let names: string[];
  try {
    names = readdirSync(resolve(folder, parent)).filter((name) => !name.startsWith("."));
  } catch {
    return `there is no folder ${parent} either: check the path`;
  }
  const [close] = nearest(basename(shown), names);
  return close === undefined ? "check the path" : `did you mean \`${join(parent, close)}\`?`;
}

/** UTF-8 text of a file that must be there; a byte order mark is left out. */
export function readText(folder: string, shown: string): string {
  const bytes = readBytes(folder, shown);
  const notText = (why: string): UserError =>
    new UserError("C0103", `${shown} is not text: ${why}`, {
      file: shown,
      help: "give a text file in UTF-8",
    });
  const zero = bytes.indexOf(0);
  if (zero >= 0) throw notText(`byte ${zero} is zero`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw notText("it is not UTF-8");
  }
}

/** JSON of a file that moe wrote: anything else there is a UserError. */
export function readJson(folder: string, shown: string): unknown {
  const text = readText(folder, shown);
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw new UserError("C0106", `${shown} is not JSON`, {
      file: shown,
      help: "it was edited or cut off: make it again",
    });
  }
}

/** Whether a file is there and holds this text; a check-out may have changed its line ends. */
export const holdsText = (path: string, text: string): boolean =>
  existsSync(path) && new TextDecoder().decode(readBytes("", path)).replaceAll("\r\n", "\n") === text;

/** Replaces a file whole: writes beside it, syncs, renames. Links are followed; the mode of an old file is kept. */
export function writeWhole(path: string, content: string | Uint8Array, shown = path): void {
  let temporary = "";
  try {
    mkdirSync(dirname(path), { recursive: true });
    const target = existsSync(path) ? realpathSync(path) : path;
    const mode = existsSync(target) ? statSync(target).mode & 0o777 : 0o666;
    temporary = join(dirname(target), `.${basename(target)}.${process.pid}.tmp`);
    const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
    const file = openSync(temporary, "w", mode);
    try {
      for (let at = 0; at < bytes.length;) at += writeSync(file, bytes, at);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(temporary, target);
  } catch (error) {
    if (temporary !== "") rmSync(temporary, { force: true });
    throw new UserError("C0201", `cannot write ${shown}: ${reasonOf(error)}`, {
      file: shown,
      help: "make room, or choose a place that can be written",
    });
  }
}

export const sha256 = (content: string | Uint8Array): string =>
  createHash("sha256").update(content).digest("hex");
