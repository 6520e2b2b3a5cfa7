// Shell: all that a command sees of the process it runs in, so that tests can give it another one. Node only.

import { UserError } from "../runtime/errors.ts";
import { reasonOf } from "../runtime/system-error.ts";
import { fail } from "./exit.ts";

/** Where a command runs, what it prints to, and how it learns that it is to stop. */
export interface Shell {
  /** Paths that the user gives are relative to it. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Results: what a script would want to read. */
  out(text: string): void;
  /** Progress and errors. */
  err(text: string): void;
  readonly colour: { readonly out: boolean; readonly err: boolean };
  /** Standard error, when it is a terminal on which a line may be drawn again and again. */
  readonly live?: NodeJS.WriteStream;
  readonly columns: number;
  /** All of standard input. */
  input(): Promise<string>;
  /** Calls back at Ctrl-C, once; a second Ctrl-C ends the process at once. Returns how to undo it. */
  onInterrupt(stop: () => void): () => void;
}

export function processShell(): Shell {
  const { stdout, stderr, stdin, env } = process;
  const colour = (terminal: boolean): boolean =>
    (env["NO_COLOR"] ?? "") === "" &&
    env["TERM"] !== "dumb" &&
    (terminal || (env["FORCE_COLOR"] ?? "0") !== "0");
  const shell: Shell = {
    folder: process.cwd(),
    environment: env,
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    colour: { out: colour(stdout.isTTY), err: colour(stderr.isTTY) },
    ...(stderr.isTTY && env["TERM"] !== "dumb" && env["CI"] === undefined ? { live: stderr } : {}),
    columns: stderr.columns ?? 100,
    input: async () => {
      const pieces: Buffer[] = [];
      for await (const piece of stdin) pieces.push(piece as Buffer);
      return Buffer.concat(pieces).toString("utf8");
    },
    onInterrupt: (stop) => {
      let asked = false;
      const listener = (): void => {
        // The cursor may be hidden while a bar is drawn.
        if (asked) {
          if (stderr.isTTY) stderr.write("\u001B[?25h\n");
          process.exit(130);
        }
        asked = true;
        stop();
      };
      for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, listener);
      return () => {
        for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, listener);
      };
    },
  };
  for (const [stream, name] of [
    [stdout, "standard output"],
    [stderr, "standard error"],
  ] as const)
    stream.on("error", (error: NodeJS.ErrnoException) => {
      // A reader that has seen enough (`moe explain | head`) is no error; a file on a full disk is one.
      if (error.code === "EPIPE") process.exit();
      process.exit(
        fail(
          shell,
          new UserError("C0201", `cannot write ${name}: ${reasonOf(error)}`, {
            help: "make room, or write it to another place",
          }),
        ),
      );
    });
  return shell;
}
