import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buildSync } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import { decodeRecords } from "../runtime/metrics.ts";
import { metricsPath } from "../runtime/train-folder.ts";

const folder = mkdtempSync(join(tmpdir(), "moe-kill-"));
const script = join(folder, "child.mjs");
beforeAll(() => {
  const entryPoints = [join(import.meta.dirname, "helpers", "train-child.ts")];
  buildSync({
    entryPoints,
    bundle: true,
    platform: "node",
    format: "esm",
    packages: "external",
    outfile: script,
  });
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs the child; kills it, the hard way, when its metrics file has grown by so many bytes. */
function run(
  into: string,
  milliseconds: number,
  killAfter?: number,
): Promise<{ signal: string | null; out: string }> {
  const child = spawn(process.execPath, [script, into, String(milliseconds)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let out = "";
  child.stdout.on("data", (text) => (out += String(text)));
  child.stderr.on("data", (text) => (out += String(text)));
  const size = (): number => {
    try {
      return readFileSync(metricsPath(into)).length;
    } catch {
      return 0;
    }
  };
  const start = size();
  const watch = setInterval(() => {
    if (killAfter !== undefined && Math.abs(size() - start) > killAfter) child.kill("SIGKILL");
  }, 1);
  return new Promise((resolve) =>
    child.once("close", (_code, signal) => {
      clearInterval(watch);
      resolve({ signal, out: out.trim() });
    }),
  );
}
const untimed = (path: string) =>
  decodeRecords(readFileSync(path, "utf8")).map((record) => ({ ...record, seconds: 0, perSecond: 0 }));

test("a process killed again and again ends with the same bytes as one that never was", async () => {
  const whole = join(folder, "whole");
  const killed = join(folder, "killed");
  const [calm] = await Promise.all([
    run(whole, 0),
    (async () => {
      let kills = 0;
      for (const after of [300, 1100, 1700, 2500])
        if ((await run(killed, 4, after)).signal === "SIGKILL") kills++;
      expect(kills).toBeGreaterThanOrEqual(3);
      expect(await run(killed, 0)).toEqual({ signal: null, out: "done" });
    })(),
  ]);
  expect(calm).toEqual({ signal: null, out: "done" });
  for (const name of ["last", "previous", "best"])
    expect(
      readFileSync(join(killed, `${name}.safetensors`)).equals(
        readFileSync(join(whole, `${name}.safetensors`)),
      ),
    ).toBe(true);
  expect(untimed(metricsPath(killed))).toEqual(untimed(metricsPath(whole)));
});
