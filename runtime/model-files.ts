// Files of a compiled model and of its runs, in Node and in pages: bytes of a path, a URL, or bytes that are there already.
// In Node a path is one of the file system and `file:` URLs are read from it; anywhere else all of them are fetched. Node's
// modules are loaded when they are first needed. Does not know what is in the files.

import { UserError } from "./errors.ts";
import { codeOf, reasonOf } from "./system-error.ts";
import { isNode, nodeModule } from "./wasm-host.ts";

/** Where bytes come from: a path (in a page: a URL relative to it), a URL, or the bytes themselves. */
export type BytesSource = string | URL | Uint8Array | ArrayBuffer;

export interface Bytes {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** What messages call it. */
  readonly name: string;
}

interface FileSystem {
  readFile(path: string | URL): Promise<Uint8Array<ArrayBuffer>>;
  stat(path: string | URL): Promise<{ isDirectory(): boolean }>;
}

/** What to say when there is nothing, or nothing that can be read. */
export interface Trouble {
  readonly missing: { readonly code: string; readonly help: string };
  readonly unreadable: { readonly code: string; readonly help: string };
}

export const weightsTrouble: Trouble = {
  missing: { code: "R0201", help: "train first, or give the checkpoint, or the folder, of another run" },
  unreadable: { code: "R0209", help: "make the file readable" },
};
export const modelTrouble: Trouble = {
  missing: {
    code: "R0507",
    help: "put it beside the module: `moe build` writes all of them into one folder",
  },
  unreadable: { code: "R0507", help: "make the file readable" },
};

export async function readBytes(source: BytesSource, trouble: Trouble): Promise<Bytes> {
  if (source instanceof Uint8Array) return { bytes: new Uint8Array(source), name: "the given file" };
  if (source instanceof ArrayBuffer) return { bytes: new Uint8Array(source), name: "the given file" };
  const place = placeOf(source);
  const name = shown(place);
  return { bytes: place.inFiles ? await readFile(place, trouble) : await fetchBytes(place, trouble), name };
}

export async function readJson(
  source: BytesSource,
  trouble: Trouble,
): Promise<{ json: unknown; name: string }> {
  const { bytes, name } = await readBytes(source, trouble);
  try {
    return { json: JSON.parse(new TextDecoder().decode(bytes)) as unknown, name };
  } catch {
    throw new UserError(trouble.unreadable.code, `${name} is not JSON`, {
      file: name,
      help: "it was edited or cut off: make it again",
    });
  }
}

/** Whether it is a folder of the file system. Nothing that is fetched is. */
export const isFolder = (source: BytesSource): Promise<boolean> =>
  inFileSystem(source, (found) => found.isDirectory());

/** Whether it is there and no folder, for what is in the file system. */
export const isFile = (source: BytesSource): Promise<boolean> =>
  inFileSystem(source, (found) => !found.isDirectory());

async function inFileSystem(
  source: BytesSource,
  is: (found: { isDirectory(): boolean }) => boolean,
): Promise<boolean> {
  if (source instanceof Uint8Array || source instanceof ArrayBuffer) return false;
  const place = placeOf(source);
  if (!place.inFiles) return false;
  const { stat } = (await nodeModule("fs/promises")) as FileSystem;
  return stat(place.at).then(is, () => false);
}

/** A file in a folder, as a source again. */
export function inside(folder: string | URL, file: string): string | URL {
  if (folder instanceof URL) return new URL(file, folder.href.endsWith("/") ? folder : `${folder.href}/`);
  return `${folder.replace(/[\\/]+$/, "")}/${file}`;
}

type Place =
  { readonly inFiles: true; readonly at: string | URL } | { readonly inFiles: false; readonly at: string };

function placeOf(source: string | URL): Place {
  if (typeof source === "string" && isNode && !/^[a-z][a-z0-9+.-]+:/i.test(source))
    return { inFiles: true, at: source };
  const url = typeof source === "string" ? new URL(source, globalThis.location?.href) : source;
  return isNode && url.protocol === "file:" ? { inFiles: true, at: url } : { inFiles: false, at: url.href };
}

const shown = ({ at }: Place): string => (typeof at === "string" ? at : decodeURIComponent(at.pathname));

async function readFile(
  place: Place & { readonly inFiles: true },
  trouble: Trouble,
): Promise<Uint8Array<ArrayBuffer>> {
  const name = shown(place);
  const files = (await nodeModule("fs/promises")) as FileSystem;
  try {
    return new Uint8Array(await files.readFile(place.at));
  } catch (error) {
    const code = codeOf(error);
    if (code === "") throw error;
    if (code === "ENOENT")
      throw new UserError(trouble.missing.code, `there is no file ${name}`, {
        file: name,
        help: trouble.missing.help,
      });
    throw new UserError(trouble.unreadable.code, `cannot read ${name}: ${reasonOf(error)}`, {
      file: name,
      help: trouble.unreadable.help,
    });
  }
}

async function fetchBytes(
  { at }: Place & { readonly inFiles: false },
  trouble: Trouble,
): Promise<Uint8Array<ArrayBuffer>> {
  const fail = (message: string, { code, help }: Trouble["missing"]): never => {
    throw new UserError(code, message, { file: at, help });
  };
  let response: Response;
  try {
    response = await fetch(at);
  } catch (error) {
    return fail(
      `cannot fetch ${at}: ${error instanceof Error ? error.message : String(error)}`,
      trouble.unreadable,
    );
  }
  if (!response.ok) return fail(`cannot fetch ${at}: the server answers ${response.status}`, trouble.missing);
  return new Uint8Array(await response.arrayBuffer());
}
