// A peer in a process of its own: one JSON object a line in, one out. The first line it writes says what it is.
// A peer that fails gives the last line of its complaint as an error, which the bench prints as the reason to leave it out.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

export interface Peer {
  /** What it said of itself. */
  readonly hello: Readonly<Record<string, unknown>>;
  ask(request: Readonly<Record<string, unknown>>): Promise<Readonly<Record<string, unknown>>>;
  stop(): void | Promise<void>;
}

export async function startProcess(
  command: string,
  args: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): Promise<Peer> {
  const child = spawn(command, args, {
    stdio: ["pipe", "pipe", "pipe"],
    env: { ...environment, ...process.env },
  });
  let complaint = "";
  child.stderr.on("data", (text: Buffer) => (complaint = (complaint + text.toString()).slice(-4000)));
  const waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  const ended = (reason: string): void => {
    for (const { reject } of waiting.splice(0)) reject(new Error(reason));
  };
  createInterface({ input: child.stdout }).on("line", (line) => {
    if (line.startsWith("{")) waiting.shift()?.resolve(line);
  });
  child.on("error", (error) => ended(error.message));
  child.stdin.on("error", () => undefined);
  child.on("close", () => ended(complaint.trim().split("\n").at(-1) ?? "it stopped"));
  const next = (): Promise<Readonly<Record<string, unknown>>> =>
    new Promise<string>((resolve, reject) => waiting.push({ resolve, reject })).then((line) =>
      JSON.parse(line),
    );
  const hello = await next();
  return {
    hello,
    ask(request) {
      const reply = next();
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return reply;
    },
    stop: () => void child.stdin.end(),
  };
}
