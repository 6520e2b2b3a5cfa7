// A `DataFolder` on disk; Node only. Files are read in pieces or by position, never whole; `.gz` files are decompressed on
// the way. The cache is the folder `.moe-cache` beside the `.moe` file; it may be deleted at any time.

import * as nodeFiles from "node:fs";
import { tmpdir } from "node:os";
import { createGunzip } from "node:zlib";
import { isAbsolute, join, resolve } from "node:path";
import { crc32 } from "../checkpoint-checksum.ts";
import { UserError } from "../errors.ts";
import { codeOf, reasonOf } from "../system-error.ts";
import {
  byCodeUnits,
  noSuchFile,
  type DataCache,
  type DataFile,
  type DataFolder,
  type DataScratch,
} from "./folder.ts";
import { glob, tidyPath } from "./glob.ts";

export function nodeFolder(baseFolder: string): DataFolder {
  const base = resolve(baseFolder);
  return {
    find(pattern) {
      try {
        const { wild, folder, depth, matches } = glob(pattern);
        const plain = tidyPath(pattern);
        const absolute = (path: string): string => (isAbsolute(path) ? path : join(base, path));
        let names: string[];
        if (nodeFiles.existsSync(absolute(plain))) names = [plain];
        else if (wild) names = walk(absolute(folder), folder, depth).filter(matches).sort(byCodeUnits);
        else names = [];
        if (names.length === 0) throw noSuchFile(pattern, wild, absolute(plain));
        return Promise.resolve(names.map((name) => nodeFile(absolute(name), name, names.length <= mostOpen)));
      } catch (error) {
        return Promise.reject(error instanceof Error ? error : new Error(String(error)));
      }
    },
    cache: nodeCache(join(base, ".moe-cache")),
    scratch: nodeScratch,
  };
}

/** Paths of all files and links below a folder, `prefix` before each. Folders behind links are not entered: they may be circles. */
function walk(folder: string, prefix: string, depth: number): string[] {
  let entries: nodeFiles.Dirent[];
  try {
    entries = nodeFiles.readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
  return entries.flatMap((entry) => {
    const name = prefix === "" ? entry.name : prefix === "/" ? `/${entry.name}` : `${prefix}/${entry.name}`;
    if (entry.isDirectory()) return depth > 1 ? walk(join(folder, entry.name), name, depth - 1) : [];
    // A pipe among them would be waited for.
    return entry.isFile() || entry.isSymbolicLink() ? [name] : [];
  });
}

const unreadable = (name: string, error: unknown): unknown => {
  const code = codeOf(error);
  if (code === "") return error;
  const reason =
    code === "ENOENT"
      ? "it is not there any more"
      : code.startsWith("Z_")
        ? "it is not a whole gzip file"
        : reasonOf(error);
  return new UserError("R0102", `cannot read ${name}: ${reason}`, {
    file: name,
    help:
      code === "EISDIR" ? `name the files in it: \`${name}/*\`` : "make the file readable, or fetch it again",
  });
};

/** Of more files than this the system might not keep all open at once. */
const mostOpen = 128;

function nodeFile(path: string, name: string, staysOpen: boolean): DataFile {
  const attempt = <T>(action: () => T): T => {
    try {
      return action();
    } catch (error) {
      throw unreadable(name, error);
    }
  };
  const status = attempt(() => nodeFiles.statSync(path));
  if (status.isDirectory()) throw unreadable(name, Object.assign(new Error(), { code: "EISDIR" }));
  const compressed = name.endsWith(".gz");
  let handle: number | undefined;
  const close = (): void => {
    if (handle !== undefined) nodeFiles.closeSync(handle);
    handle = undefined;
  };
  return {
    name,
    version: `${status.size} ${status.mtimeMs}`,
    // Pipes and devices have no size and cannot be read by position.
    size: compressed || !status.isFile() ? undefined : status.size,
    async *chunks() {
      const raw = nodeFiles.createReadStream(path, { highWaterMark: 2 ** 18 });
      const stream = compressed ? raw.pipe(createGunzip()) : raw;
      // `pipe` does not pass errors on.
      if (compressed) raw.on("error", (error) => stream.destroy(error));
      try {
        for await (const chunk of stream) yield chunk as Uint8Array;
      } catch (error) {
        throw unreadable(name, error);
      } finally {
        raw.destroy();
      }
    },
    read(offset, into) {
      attempt(() => {
        handle ??= nodeFiles.openSync(path, "r");
        try {
          readFully(handle, offset, into, name);
        } finally {
          if (!staysOpen) close();
        }
      });
    },
    close,
  };
}

function readFully(handle: number, offset: number, into: Uint8Array, name: string): void {
  for (let at = 0; at < into.length;) {
    const count = nodeFiles.readSync(handle, into, at, into.length - at, offset + at);
    if (count === 0)
      throw new UserError("R0102", `${name} became shorter while it was read`, {
        file: name,
        help: "do not change data files during a run; resume once the file is whole",
      });
    at += count;
  }
}

/** A file of the system's temporary folder that has no name any more: it vanishes with the process. */
function nodeScratch(): DataScratch {
  const folder = nodeFiles.mkdtempSync(join(tmpdir(), "moe-"));
  const path = join(folder, "ids");
  const handle = nodeFiles.openSync(path, "wx+", 0o600);
  const forget = (): void => nodeFiles.rmSync(folder, { recursive: true, force: true });
  try {
    forget();
  } catch {
    // Windows keeps open files: removed when closed.
  }
  return {
    append(bytes) {
      try {
        for (let at = 0; at < bytes.length;) at += nodeFiles.writeSync(handle, bytes, at);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw new UserError("R0102", `no room for the tokens of the data in ${tmpdir()}: ${reason}`, {
          help: "free some space there, or set TMPDIR to a folder with more",
        });
      }
    },
    read(offset, into) {
      for (let at = 0; at < into.length;) {
        const count = nodeFiles.readSync(handle, into, at, into.length - at, offset + at);
        if (count === 0) throw new Error(`internal: scratch file ends before ${offset + into.length}`);
        at += count;
      }
    },
    close() {
      nodeFiles.closeSync(handle);
      forget();
    },
  };
}

/** Entries end with a checksum, so that one that was cut off is made again, and are renamed into place. */
function nodeCache(folder: string): DataCache {
  const pathOf = (key: string): string => join(folder, key);
  return {
    async load(key) {
      try {
        const bytes = await nodeFiles.promises.readFile(pathOf(key));
        const contents = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length - 4);
        return bytes.readUInt32LE(bytes.length - 4) === crc32(contents) ? contents.slice() : undefined;
      } catch {
        return undefined;
      }
    },
    async save(key, bytes) {
      const temporary = `${pathOf(key)}.${process.pid}.tmp`;
      try {
        await nodeFiles.promises.mkdir(folder, { recursive: true });
        const end = Buffer.alloc(4);
        end.writeUInt32LE(crc32(bytes));
        await nodeFiles.promises.writeFile(temporary, [bytes, end]);
        await nodeFiles.promises.rename(temporary, pathOf(key));
      } catch {
        // A cache that cannot be written is no cache; the run goes on.
        await nodeFiles.promises.rm(temporary, { force: true }).catch(() => undefined);
      }
    },
  };
}
