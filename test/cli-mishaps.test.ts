// Bad luck with run folders: two processes in one, a folder that was moved, a checkpoint that is broken. What is asked each
// time: one message that says what to do, and nothing changed on disk.

import { spawn, spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { compileFile } from "../cli/compiling.ts";
import { createRun, leaveNoFolder } from "../cli/run-folder.ts";
import type { Shell } from "../cli/shell.ts";
import type { Tokenizer } from "../runtime/tokenizer.ts";
import { lockPath, lockRun } from "../runtime/run-lock.ts";
import { testShell, tinyModel, tinyText, type Outcome, type TestShell } from "./helpers/cli.ts";

let shell: TestShell;
const at = (...path: string[]): string => join(shell.folder, ...path);
const run = (line: string): Promise<Outcome> => shell.run(line.split(" "));
/** Every file of a folder with its bytes. */
const contents = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(at(folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path, readFileSync(path, "latin1")]),
  );

beforeAll(async () => {
  shell = testShell({ "tiny.moe": tinyModel, "data/a.txt": tinyText });
  expect((await run("train tiny.moe --threads 1 --quiet")).code).toBe(0);
}, 60_000);
afterAll(() => shell.remove());

describe("two processes in one run folder", () => {
  const resume = (): Promise<Outcome> => run("train runs/tiny --resume --threads 1 --quiet");
  const lock = (holder: object | string): void =>
    writeFileSync(lockPath(at("runs/tiny")), typeof holder === "string" ? holder : JSON.stringify(holder));

  test("training leaves no lock", () => {
    expect(existsSync(lockPath(at("runs/tiny")))).toBe(false);
  });

  test("the second is refused, and changes nothing", async () => {
    const held = lockRun(at("runs/tiny"));
    const before = contents("runs/tiny");
    expect(await resume()).toEqual({
      code: 2,
      out: "",
      err:
        `error[R0305]: process ${process.pid} is training in runs/tiny\n` +
        "  = help: wait until it ends or stop it, or train in another folder\n",
    });
    expect(() => lockRun(at("runs/tiny"))).toThrow("is training in");
    expect(contents("runs/tiny")).toEqual(before);
    // A trained model can be looked at meanwhile.
    expect((await run("generate runs/tiny --tokens 1")).code).toBe(0);
    held.release();
    held.release();
    expect((await resume()).code).toBe(0);
  });

  test("a new run with --out is refused in a folder that somebody begins to use", async () => {
    const held = lockRun(at("new"));
    expect((await run("train tiny.moe --out new --threads 1")).err).toContain("error[R0305]: process");
    held.release();
    expect((await run("train tiny.moe --out new --threads 1 --quiet")).code).toBe(0);
  });

  test("the lock of a process that is gone is taken over", async () => {
    const { pid } = spawnSync(process.execPath, ["--version"]);
    lock({ pid, host: hostname(), start: "" });
    expect((await resume()).code).toBe(0);
    expect(existsSync(lockPath(at("runs/tiny")))).toBe(false);
  });

  test.runIf(process.platform === "linux")(
    "also when its number belongs to another process now",
    async () => {
      lock({ pid: process.pid, host: hostname(), start: "before the machine was restarted" });
      expect((await resume()).code).toBe(0);
    },
  );

  test.runIf(process.platform === "linux")(
    "also while its parent has not noticed that it is dead",
    async () => {
      // The shell becomes `sleep`, which never asks after the process that it inherits; that one ends only then.
      const parent = spawn("sh", ["-c", "sleep 1 & echo $!; exec sleep 60"], {
        stdio: ["ignore", "pipe", "ignore"],
      });
      const pid = Number(
        await new Promise((done) => parent.stdout.once("data", (text) => done(String(text)))),
      );
      const status = (): string => readFileSync(`/proc/${pid}/stat`, "utf8");
      while (!/\) Z /.test(status())) await new Promise((done) => setTimeout(done, 5));
      lock({ pid, host: hostname(), start: "" });
      expect((await resume()).code).toBe(0);
      parent.kill("SIGKILL");
    },
  );

  test("that of another machine is not: what to delete is said", async () => {
    lock({ pid: 1, host: "elsewhere", start: "" });
    const { code, err } = await resume();
    expect(code).toBe(2);
    expect(err).toBe(
      "error[R0305]: process 1 on elsewhere is training in runs/tiny\n" +
        "  = help: wait until it ends, or train in another folder; if it is gone, delete runs/tiny/.lock\n",
    );
  });

  test("one that was never finished counts for a moment only", async () => {
    lock("");
    expect((await resume()).err).toContain("error[R0305]: another process is training in runs/tiny\n");
    utimesSync(lockPath(at("runs/tiny")), new Date(0), new Date(0));
    expect((await resume()).code).toBe(0);
    expect(readdirSync(at("runs/tiny")).filter((name) => name.startsWith(".lock"))).toEqual([]);
  });
});

test("a checkpoint that is broken: resuming changes nothing on disk", async () => {
  cpSync(at("runs/tiny"), at("runs/broken"), { recursive: true });
  const flipped = readFileSync(at("runs/broken/last.safetensors"));
  flipped[flipped.length - 100]! ^= 4;
  writeFileSync(at("runs/broken/last.safetensors"), flipped);
  const before = contents("runs/broken");
  const { code, err } = await run("train runs/broken --resume --threads 1");
  expect({ code, first: err.split("\n")[0] }).toEqual({
    code: 2,
    first: "error[R0203]: runs/broken/last.safetensors is damaged: its checksum does not match its contents",
  });
  expect(contents("runs/broken")).toEqual(before);
});

test("data that changed: resuming changes nothing on disk", async () => {
  const before = contents("runs/tiny");
  shell.write("data/a.txt", tinyText.toUpperCase());
  expect((await run("train runs/tiny --resume --threads 1")).err).toMatch(/^error\[R0304\]/);
  shell.write("data/a.txt", tinyText);
  expect(contents("runs/tiny")).toEqual(before);
});

test("a run.json that somebody edited is refused, whatever it says", async () => {
  const text = readFileSync(at("runs/tiny/run.json"), "utf8");
  const note = JSON.parse(text) as Readonly<Record<string, unknown>>;
  const edited = ["model", "main", "base", "files", "version", "format"].flatMap((name) =>
    [undefined, null, 5, [5]].map((value): unknown => ({ ...note, [name]: value })),
  );
  for (const each of [null, [], 5, { ...note, prompt: {} }, { ...note, phases: [{}] }, ...edited]) {
    shell.write("runs/tiny/run.json", JSON.stringify(each));
    const { code, err } = await run("generate runs/tiny --tokens 1 --threads 1");
    expect({ each, code, first: err.split("\n")[0] }).toEqual({
      each,
      code: 2,
      first: "error[C0301]: runs/tiny/run.json is of another version of moe, or damaged",
    });
  }
  shell.write("runs/tiny/run.json", text);
});

test("a file where the folder of runs should be", async () => {
  renameSync(at("runs"), at("kept"));
  shell.write("runs", "mine");
  expect(await run("train tiny.moe --threads 1")).toEqual({
    code: 2,
    out: "",
    err:
      "error[C0201]: cannot make the folder runs/tiny: part of the path is a file, not a folder\n" +
      "  = help: choose a place that can be written with --out\n",
  });
  expect(readFileSync(at("runs"), "utf8")).toBe("mine");
  rmSync(at("runs"));
  renameSync(at("kept"), at("runs"));
});

test("a run folder that can't be finished leaves nothing in the way of the next try", () => {
  const quiet: Shell = {
    folder: shell.folder,
    environment: {},
    out: () => {},
    err: () => {},
    colour: { out: false, err: false },
    columns: 100,
    input: () => Promise.resolve(""),
    onInterrupt: () => () => {},
  };
  const compiled = compileFile(quiet, "tiny.moe")!;
  shell.write("half/.keep", "mine");
  const full = {
    toJSON: () => {
      throw new Error("ENOSPC: made by the test");
    },
  } as unknown as Tokenizer;
  const make = (tokenizers: Record<string, Tokenizer>): unknown =>
    createRun(at("half"), compiled, tokenizers, { seed: 0 });
  expect(() => make({ text: full })).toThrow("ENOSPC");
  expect(readdirSync(at("half"))).toEqual([".keep"]);
  leaveNoFolder(shell.folder, "half");
  expect(readdirSync(at("half"))).toEqual([".keep"]);
  rmSync(at("half", ".keep"));
  leaveNoFolder(shell.folder, "half");
  expect(existsSync(at("half"))).toBe(false);
});

test("what to type next can be typed, whatever a folder is called", async () => {
  const init = await shell.run(["init", "my $model"]);
  expect(init.out).toContain('  cd "my \\$model"\n');
  shell.write("a few words/tiny.moe", tinyModel.replace("data/*", "../data/*"));
  const { out } = await shell.run(["train", "a few words/tiny.moe", "--threads", "1", "--out", "é / ü"]);
  expect(out).toContain('  more     moe generate "é / ü" --prompt "');
  expect((await shell.run(["train", "é / ü", "--steps", "1"])).err).toContain("error[C0203]");
});

describe("data that are not where they were", () => {
  test("a run folder that was moved says where it looks, and what to do works", async () => {
    cpSync(at("runs/tiny"), at("far/away/run"), { recursive: true });
    renameSync(at("data"), at("kept"));
    const expected =
      "error[R0101]: no file matches `data/*.txt` in far, where far/away/run looks for its data " +
      "(its run.json says `../..`, seen from the run)\n" +
      "  --> far/away/run/run.json\n" +
      "  = help: the run or its data were moved: bring the data there, or change `base` in that run.json to the folder " +
      "that they are relative to now\n";
    for (const line of ["train far/away/run --resume", "eval far/away/run"])
      expect(await run(`${line} --threads 1`)).toEqual({
        code: 2,
        out: "",
        err: expected,
      });
    // Text is made without the data.
    expect((await run("generate far/away/run --tokens 1")).code).toBe(0);
    renameSync(at("kept"), at("data"));
    const note = readFileSync(at("far/away/run/run.json"), "utf8");
    writeFileSync(at("far/away/run/run.json"), note.replace('"base": "../.."', '"base": "../../.."'));
    expect((await run("eval far/away/run --threads 1")).code).toBe(0);
    rmSync(at("far"), { recursive: true });
  });

  test("a file whose data are missing says which path that is", async () => {
    shell.write("deep/tiny.moe", tinyModel);
    expect((await run("train deep/tiny.moe --threads 1")).err).toBe(
      "error[R0101]: no file matches `data/*.txt`\n" +
        "  = help: mend the path of the `data` line; it is relative to the `.moe` file, so this is deep/data/*.txt\n",
    );
    expect(existsSync(at("runs/tiny-2"))).toBe(false);
  });
});

test.each([
  ["train tyni.moe", "error[C0101]: there is no file tyni.moe\n  = help: did you mean `tiny.moe`?\n"],
  [
    "train gone/tiny.moe",
    "error[C0101]: there is no file gone/tiny.moe\n  = help: there is no folder gone either: check the path\n",
  ],
  ["generate runs/tny", "error[C0301]: there is no folder runs/tny\n  = help: did you mean `runs/tiny`?\n"],
  ["check --json=yes", "error[C0401]: `--json` takes no value\n  = help: write `--json` alone\n"],
])("moe %s", async (line, err) => {
  expect(await run(line)).toEqual({ code: 2, out: "", err });
});
