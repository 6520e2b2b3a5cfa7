// Doing a command's work again whenever a `.moe` file or a module that it imports changes, until Ctrl-C. In: the file and the work.
// What is wrong with the file, or cannot be written, is told, and the work is done again at the next change.

import { once } from "node:events";
import { basename, resolve } from "node:path";
import { watch } from "chokidar";
import { loadModel } from "../compiler/resolve.ts";
import { exitCodes, fail, type ExitCode } from "./exit.ts";
import type { Shell } from "./shell.ts";
import { modulePath, openSources } from "./sources.ts";

export async function again(shell: Shell, file: string, work: () => Promise<unknown>): Promise<ExitCode> {
  const path = modulePath(shell.folder, file);
  const watcher = watch(modulesOf(shell.folder, path), {
    ignoreInitial: true,
    awaitWriteFinish: { stabilityThreshold: 60, pollInterval: 20 },
  });
  // A change that comes while the first work is done counts.
  await once(watcher, "ready");
  let [working, changed] = [false, false];
  const turn = async (): Promise<void> => {
    changed = true;
    if (working) return;
    working = true;
    while (changed) {
      changed = false;
      await work().catch((error: unknown) => fail(shell, error));
      const files = modulesOf(shell.folder, path);
      watcher.add(files);
      shell.err(`watching ${files.map((each) => basename(each)).join(", ")}; Ctrl-C ends it\n`);
    }
    working = false;
  };
  watcher.on("all", () => void turn());
  const ended = new Promise<void>((resolve) => {
    shell.onInterrupt(resolve);
  });
  await turn();
  await ended;
  await watcher.close();
  return exitCodes.good;
}

/** Absolute paths of a module and of those that it imports, as far as they can be read. */
function modulesOf(folder: string, path: string): string[] {
  const sources = openSources(folder);
  try {
    loadModel(sources, path);
  } catch {
    // A file that is gone or no text for a moment is read again when it changes.
  }
  const found = [path, ...sources.texts().keys()].map((each) => resolve(folder, each));
  return [...new Set(found)];
}
