// What `moe init` makes is the first model that many people train: it is well, it learns, and its report has something to show, because
// every expert has work. Nothing is overwritten, and no half of it stays.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { testShell, type TestShell } from "./helpers/cli.ts";

const shells: TestShell[] = [];
const shell = (files?: Parameters<typeof testShell>[0]): TestShell => {
  const made = testShell(files);
  shells.push(made);
  return made;
};
afterAll(() => shells.forEach((each) => each.remove()));

describe("init", () => {
  test("a project that is well and in style; never overwrites", async () => {
    const { run, folder } = shell();
    const { code, out } = await run(["init", "my-model"]);
    expect(code).toBe(0);
    expect(out).toContain("moe train small.moe");
    expect(await run(["check", "my-model"])).toEqual({
      code: 0,
      out: "my-model/small.moe is well\n",
      err: "",
    });
    expect((await run(["fmt", "--check", "my-model"])).code).toBe(0);
    const manifest = JSON.parse(readFileSync(join(folder, "my-model/package.json"), "utf8")) as {
      name: string;
    };
    expect(manifest.name).toBe("my-model");
    expect(await run(["init", "my-model"])).toEqual({
      code: 2,
      out: "",
      err: "error[C0202]: my-model/small.moe is there already, and nothing was written\n  = help: name a new folder: moe init my-model\n",
    });
    expect(existsSync(join(folder, "small.moe"))).toBe(false);
  });

  test("all of it, or nothing", async () => {
    const { run, folder } = shell({ "new/data": "mine" });
    expect(await run(["init", "new"])).toEqual({
      code: 2,
      out: "",
      err:
        "error[C0201]: cannot write new/data/rhymes.txt: part of the path is a file, not a folder\n" +
        "  = help: make room, or choose a place that can be written\n",
    });
    expect(readdirSync(join(folder, "new"))).toEqual(["data"]);
  });
});

test("the starter learns, and all of its experts have work", async () => {
  const { run } = shell();
  expect((await run(["init"])).code).toBe(0);
  expect((await run(["train", "small.moe", "--threads", "1", "--quiet"])).code).toBe(0);
  const { out } = await run(["eval", "runs/small", "--threads", "1", "--json"]);
  const { metrics, loads } = JSON.parse(out) as {
    readonly metrics: { readonly loss: number };
    readonly loads: Readonly<Record<string, readonly number[]>>;
  };
  expect(metrics.loss).toBeLessThan(2.6);
  expect(Object.keys(loads)).toHaveLength(2);
  for (const load of Object.values(loads)) {
    const even = load.reduce((a, b) => a + b, 0) / load.length;
    expect(Math.max(...load) / even).toBeLessThan(2);
    expect(Math.min(...load) / even).toBeGreaterThan(0.2);
  }
}, 120_000);
