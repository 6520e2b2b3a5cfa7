// The real command in processes of its own: exit codes, pipes, signals, and how little of it is loaded to say what it can do.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testShell, tinyModel, tinyText, type TestShell } from "./helpers/cli.ts";

interface Metafile {
  readonly outputs: Readonly<Record<string, { readonly inputs: Readonly<Record<string, unknown>> }>>;
}
interface Bundler {
  bundle(names: readonly string[], folder: string): Promise<Metafile>;
  loadedBy(metafile: Metafile, output: string): readonly string[];
}

// Inside of node_modules, so that packages are found from there.
const folder = "node_modules/.cache/moe-cli-test";
const cli = resolve(folder, "cli.js");
let bundler: Bundler;
let metafile: Metafile;
let shell: TestShell;
beforeAll(async () => {
  bundler = (await import(pathToFileURL(resolve("scripts/bundle.mjs")).href)) as Bundler;
  metafile = await bundler.bundle(["cli"], folder);
  shell = testShell({ "tiny.moe": tinyModel, "data/a.txt": tinyText });
});
afterAll(() => shell.remove());

test("help needs nothing of the compiler, the grammar or the runtime's sessions", () => {
  const loaded = bundler.loadedBy(metafile, `${folder}/cli.js`);
  const inputs = loaded.flatMap((file) => Object.keys(metafile.outputs[file]!.inputs));
  expect(inputs.filter((file) => !file.startsWith("cli/")).sort()).toEqual([
    "runtime/errors.ts",
    "runtime/system-error.ts",
  ]);
  expect(inputs.filter((file) => file.startsWith("cli/commands/"))).toEqual([]);
});

test("a pipe that closes early is no error", () => {
  const line = `"${process.execPath}" "${cli}" explain 2>&1 | head -n 1`;
  expect(execFileSync("sh", ["-c", line], { encoding: "utf8" })).toBe("Syntax\n");
});

test.runIf(process.platform === "linux")("a full disk behind standard output is one message", () => {
  for (const line of ["explain", "explain C0101", "plan tiny.moe --json"]) {
    const { status, stderr } = spawnSync("sh", ["-c", `"${process.execPath}" "${cli}" ${line} > /dev/full`], {
      cwd: shell.folder,
      encoding: "utf8",
    });
    expect({ status, stderr }).toEqual({
      status: 2,
      stderr:
        "error[C0201]: cannot write standard output: the disk is full\n" +
        "  = help: make room, or write it to another place\n",
    });
  }
});

/** Runs until it ends; `interrupt` says after which text of standard error, and how often, Ctrl-C is pressed. */
function start(args: readonly string[], interrupt?: { readonly after: string; readonly times: number }) {
  const child = spawn(process.execPath, [cli, ...args], {
    cwd: shell.folder,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, err, pressed] = ["", "", 0];
  child.stdout.on("data", (data: Buffer) => (out += data.toString()));
  child.stderr.on("data", (data: Buffer) => {
    err += data.toString();
    if (interrupt === undefined || !err.includes(interrupt.after)) return;
    if (pressed === 0 || (pressed < interrupt.times && err.includes("stopping"))) {
      pressed++;
      child.kill("SIGINT");
    }
  });
  return new Promise<{ readonly code: number | null; readonly out: string; readonly err: string }>((done) =>
    child.on("close", (code) => done({ code, out, err })),
  );
}

test("exit codes reach the shell", async () => {
  expect((await start(["--version"])).code).toBe(0);
  expect((await start(["frobnicate"])).code).toBe(2);
});

test("Ctrl-C: a clean checkpoint, exit code 130, and the run goes on", async () => {
  const args = [
    "train",
    "tiny.moe",
    "--threads",
    "1",
    "--set",
    "checkpoint every 1000000",
    "--set",
    "evaluate every 1000000",
  ];
  const { code, out, err } = await start([...args, "--steps", "900000", "--out", "long"], {
    after: "step      1/",
    times: 1,
  });
  expect(err).toContain("stopping at the next step");
  expect(out).toMatch(/^interrupted after [\d,]+ of 900,000 steps/);
  expect(code).toBe(130);
  expect(existsSync(join(shell.folder, "long/last.safetensors"))).toBe(true);
  expect(JSON.parse(readFileSync(join(shell.folder, "long/run.json"), "utf8"))).toMatchObject({
    state: "interrupted",
  });
});
