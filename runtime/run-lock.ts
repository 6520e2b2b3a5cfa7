// The lock of a run folder; Node only. Two processes that train in one folder would overwrite each other's checkpoints, so
// whoever trains holds `.lock` there: which process it is and when it began. In: the folder. Out: a lock to release, or one
// error that names the other process. A lock whose process is gone (killed, or before a restart) is taken over.
// Does not lock readers: `moe eval` and `moe generate` only see whole checkpoints anyway.

import * as nodeFiles from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { UserError } from "./errors.ts";
import { codeOf, reasonOf } from "./system-error.ts";

export interface RunLock {
  /** Gives the folder free; more than once does no harm. */
  release(): void;
}

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process began, as the system counts it: a number that is used again belongs to another process. */
  readonly start: string;
}

export const lockPath = (folder: string): string => join(folder, ".lock");

/** Milliseconds after which a lock that nobody finished writing counts as left behind. */
const unfinished = 10_000;

/** Errors: R0305 another process trains here, R0208 the folder cannot be written. */
export function lockRun(folder: string): RunLock {
  const path = lockPath(folder);
  const own = JSON.stringify(holderNow());
  // Written beside and linked: a lock is there with its contents or not at all.
  const draft = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`;
  try {
    nodeFiles.mkdirSync(folder, { recursive: true });
    nodeFiles.writeFileSync(draft, own);
    for (;;) {
      if (place(draft, own, path)) break;
      const before = contents(path);
      if (before === undefined) continue;
      const holder = holderOf(before);
      if (holder === undefined ? isYoung(path) : isAlive(holder)) throw inUse(folder, path, holder);
      takeAway(path, before);
    }
  } catch (error) {
    throw lockError(error, folder);
  } finally {
    nodeFiles.rmSync(draft, { force: true });
  }
  let held = true;
  return {
    release() {
      if (held && contents(path) === own) nodeFiles.rmSync(path, { force: true });
      held = false;
    },
  };
}

/** False when there is a lock already. */
function place(draft: string, text: string, path: string): boolean {
  try {
    nodeFiles.linkSync(draft, path);
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
  }
  // File systems without hard links.
  try {
    nodeFiles.writeFileSync(path, text, { flag: "wx" });
    return true;
  } catch (error) {
    if (codeOf(error) === "EEXIST") return false;
    throw error;
  }
}

/** Removes a lock that was left behind. Another process may do the same at the same time, and may hold a new one by now:
 * what was moved away and is not the old one goes back. */
function takeAway(path: string, text: string): void {
  const aside = `${path}.${process.pid}.old`;
  try {
    nodeFiles.renameSync(path, aside);
  } catch {
    return;
  }
  if (contents(aside) !== text)
    try {
      nodeFiles.linkSync(aside, path);
    } catch {
      // Somebody holds the folder: the next round sees who.
    }
  nodeFiles.rmSync(aside, { force: true });
}

function contents(path: string): string | undefined {
  try {
    return nodeFiles.readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

function isYoung(path: string): boolean {
  try {
    return Date.now() - nodeFiles.statSync(path).mtimeMs < unfinished;
  } catch {
    return false;
  }
}

const holderNow = (): Holder => ({ pid: process.pid, host: hostname(), start: startOf(process.pid) ?? "" });

function holderOf(text: string): Holder | undefined {
  try {
    const { pid, host, start } = JSON.parse(text) as Partial<Holder>;
    if (Number.isSafeInteger(pid) && typeof host === "string" && typeof start === "string")
      return { pid: pid!, host, start };
  } catch {
    // Cut off, or of something else.
  }
  return undefined;
}

/** Whether the process may still run; one on another machine may. */
function isAlive({ pid, host, start }: Holder): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Any other refusal: it is there, and somebody else's.
    if (codeOf(error) === "ESRCH") return false;
  }
  const now = startOf(pid);
  return now !== "ended" && (start === "" || now === undefined || now === start);
}

/** Linux says when a process began, in ticks since the machine did; "ended" for one that is dead and that nobody has asked about
 * yet. Elsewhere the number of the process must do. */
function startOf(pid: number): string | undefined {
  const status = contents(`/proc/${pid}/stat`);
  const boot = contents("/proc/sys/kernel/random/boot_id")?.trim();
  // The name of the program, in parentheses, may hold anything; its state and, 19 fields on, its start come after it.
  const fields = status?.slice(status.lastIndexOf(")") + 2).split(" ");
  const [state, ticks] = [fields?.[0], fields?.[19]];
  if (state === "Z" || state === "X") return "ended";
  return ticks === undefined || boot === undefined ? undefined : `${boot} ${ticks}`;
}

function inUse(folder: string, path: string, holder: Holder | undefined): UserError {
  const who =
    holder === undefined
      ? "another process"
      : `process ${holder.pid}${holder.host === hostname() ? "" : ` on ${holder.host}`}`;
  return new UserError("R0305", `${who} is training in ${folder}`, {
    file: folder,
    help:
      holder === undefined || holder.host === hostname()
        ? "wait until it ends or stop it, or train in another folder"
        : `wait until it ends, or train in another folder; if it is gone, delete ${path}`,
  });
}

function lockError(error: unknown, folder: string): unknown {
  if (error instanceof UserError || codeOf(error) === "") return error;
  return new UserError("R0208", `cannot write into ${folder}: ${reasonOf(error)}`, {
    file: folder,
    help: "choose a folder that can be written",
  });
}
