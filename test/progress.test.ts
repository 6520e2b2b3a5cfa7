// What is seen of long work: a bar on a terminal, lines elsewhere. The terminal here is a stream that says it is one.

import { PassThrough } from "node:stream";
import { afterAll, beforeAll, expect, test } from "vitest";
import { testShell, tinyModel, tinyText, type TestShell } from "./helpers/cli.ts";

let shell: TestShell;
beforeAll(() => {
  shell = testShell({ "tiny.moe": tinyModel, "data/a.txt": tinyText });
});
afterAll(() => shell.remove());

/** All that a command draws on a terminal, without what only moves the cursor. */
async function drawn(
  line: string,
): Promise<{ readonly code: number; readonly out: string; readonly bar: string }> {
  const terminal = Object.assign(new PassThrough(), { isTTY: true, columns: 120 });
  let bar = "";
  terminal.on("data", (data) => (bar += String(data)));
  const live = terminal as unknown as NodeJS.WriteStream;
  const { code, out } = await shell.run(line.split(" "), { live, columns: 120 });
  return { code, out, bar: bar.replace(/\u001B\[[?\d]*[a-zA-Z]|\u001B[78]/g, "\n") };
}

test("training: how far, the loss, the speed, and the time that is left", async () => {
  const { code, bar } = await drawn("train tiny.moe --threads 1 --out runs/tiny");
  expect(code).toBe(0);
  expect(bar).toMatch(/\u2501 {0,1}\n* *16%  step 1\/6  loss \d\.\d+  [\d,]+ tokens\/s  [\d.]+ s left/);
  expect(bar).toContain("100%  step 6/6  loss ");
});

test("an evaluation: the same of its batches, and nothing of it stays in what is printed", async () => {
  const { code, out, bar } = await drawn("eval runs/tiny --threads 1");
  expect(code).toBe(0);
  expect(bar).toMatch(/\d+%  batch \d\/\d  loss \d\.\d+  [\d,]+ tokens\/s  [\d.]+ s left/);
  expect(out).toMatch(/^Tiny  runs\/tiny\/best\.safetensors, step \d, \d+ held-out batch/);
  // Without a terminal a short one says nothing of itself; for a script, never.
  expect((await shell.run(["eval", "runs/tiny", "--threads", "1"])).err).toBe("");
  expect((await drawn("eval runs/tiny --threads 1 --json")).bar).toBe("");
});
