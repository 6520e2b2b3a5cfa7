// The check on a GPU when kernels fail, on the driver without one: a kernel that does not end, one that takes the process with it, one that is
// wrong on this architecture only, one that gives other numbers each time. Every other case is still run, and each failure names its kernel.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { readArguments } from "../bench/gpu/arguments.ts";
import { check, type CheckOptions } from "../bench/gpu/check.ts";
import type { Imager } from "../bench/gpu/images.ts";
import type { Case } from "../bench/gpu/manifest.ts";
import { writeModels } from "../bench/gpu/pack.ts";
import type { Program } from "../runtime/program.ts";
import { fakeDriver, hasCompiler, hostImage } from "./helpers/cuda-host.ts";
import { gpuProgramIn } from "./helpers/gpu-program.ts";

const root = resolve(import.meta.dirname, "..");

test.each<[string, ReturnType<typeof readArguments>]>([
  ["", { only: [], seconds: undefined, folder: "." }],
  ["--seconds 600 ties book", { only: ["ties", "book"], seconds: 600, folder: "." }],
  ["--folder there", { only: [], seconds: undefined, folder: "there" }],
  ["--seconds never", undefined],
  ["--seconds", undefined],
  ["--fast", undefined],
])("arguments: %s", (text, wanted) => {
  expect(readArguments(text.split(" ").filter((word) => word !== ""))).toEqual(wanted);
});

describe.skipIf(!hasCompiler)("a check in which kernels fail", () => {
  const folder = mkdtempSync(join(tmpdir(), "moe-check-"));
  let module: string;
  let cases: readonly Case[];

  beforeAll(async () => {
    process.env["MOE_CUDA_DRIVER"] = fakeDriver().path;
    const images: Imager = (source) =>
      Promise.resolve([{ architecture: "compute_80", bytes: new TextEncoder().encode(hostImage(source)) }]);
    const only = ["routing: ties", "programs/chain", "programs/rotary", "layer of 7 rows, bf16"];
    ({ cases } = await writeModels(folder, { root, images, only, layers: [] }));
    module = await gpuProgramIn(folder);
  }, 120_000);
  afterAll(() => {
    delete process.env["MOE_CUDA_DRIVER"];
    rmSync(folder, { recursive: true, force: true });
  });

  const placeOf = (name: string): string =>
    join(folder, cases.find((tested) => tested.name.includes(name))!.folder);
  /** Machine code for this device beside the right code for all, with another text for the kernel that contains `mark`; gives what the check
   * calls it. */
  function broken(name: string, mark: string, change: (kernel: string) => string): string {
    const place = placeOf(name);
    const source = readFileSync(join(place, "kernels.cu"), "utf8");
    const [whole, number] = [...source.matchAll(/\nk(\d+)\([^]*?\) \{\n[^]*?\n\}/g)].find(([kernel]) =>
      kernel.includes(mark),
    )!;
    const right = readdirSync(place).find((file) => file.endsWith(".compute_80.ptx"))!;
    const image = hostImage(source.replace(whole, change(whole)));
    writeFileSync(join(place, right.replace("compute_80.ptx", "sm_90a.cubin")), image);
    const program = JSON.parse(readFileSync(join(place, "program.cuda.json"), "utf8")) as Program;
    const all = Object.values(program.entries).flatMap(({ dispatches }) => dispatches);
    const { label, place: at } = all.find(({ kernel }) => kernel === Number(number))!;
    return `\`${label}\` at ${at}, kernel ${program.kernels[Number(number)]!.name}`;
  }
  const begin = (text: string) => (kernel: string) => kernel.replace(") {\n", `) {\n  ${text}\n`);

  async function run(options: Omit<CheckOptions, "module" | "only"> = {}) {
    const said: string[] = [];
    const log = vi.spyOn(console, "log").mockImplementation((line: string) => void said.push(line));
    try {
      const status = await check(folder, { only: [], module, ...options });
      return { status, said };
    } finally {
      log.mockRestore();
    }
  }
  const recorded = () =>
    JSON.parse(readFileSync(join(folder, "check.json"), "utf8")) as {
      readonly cases: readonly {
        readonly name: string;
        readonly outcome: string;
        readonly kernel?: string;
      }[];
    };

  test("goes on after each, and names the kernel", { timeout: 120_000 }, async () => {
    const endless = broken("ties", "tanhf(", begin("for (volatile int i = 0;; i++) {}"));
    const crashed = broken("layer of 7 rows", "expf(", begin("*(volatile int*)8 = 1;"));
    const wrong = broken("chain", "tanhf(", (kernel) => kernel.replaceAll("tanhf(", "atanf("));
    const moving = broken("rotary", "cosf(", (kernel) =>
      begin("static int runs;")(kernel).replace("cosf(", "cosf((float)runs++ + "),
    );
    const { status, said } = await run({ silence: 5 });
    expect(said[0]).toBe("Imagined GPU, compute capability 9.0, 4 processors");
    expect(said.at(-1)).toBe("0 passed, 4 failed");
    expect(said.slice(1, 5).map((line) => line.slice(0, line.indexOf(":", 20)))).toEqual([
      "FAILED routing: ties",
      "FAILED layer of 7 rows, bf16",
      "FAILED programs/chain",
      "FAILED programs/rotary",
    ]);
    expect(said[1]).toContain("it does not end: nothing came back for 5 s");
    expect(said[2]).toContain("its process ended with SIGSEGV");
    expect(said[3]).toMatch(/: forward: \w+\[\d+\] is .*, and .* on the CPU \(within /);
    const looked = Object.fromEntries(recorded().cases.map(({ name, kernel }) => [name, kernel]));
    expect(looked).toEqual({
      "routing: ties": `nothing came back for 5 s, in ${endless}`,
      "layer of 7 rows, bf16": `its process ended with SIGSEGV, in ${crashed}`,
      "programs/chain": expect.stringContaining(
        `\`forward\` gives other numbers than its PTX, first those of ${wrong}: element[`,
      ) as string,
      "programs/rotary": expect.stringContaining(
        `\`forward\` gives other numbers when it runs again, first those of ${moving}: element[`,
      ) as string,
    });
    for (const [name, kernel] of Object.entries(looked)) expect(said).toContain(`  ${name}: ${kernel!}`);
    expect(status).toBe(1);
  });

  test("what there was no time for is not called passed", { timeout: 60_000 }, async () => {
    const { status, said } = await run({ seconds: 1e-6 });
    expect(said.slice(1)).toEqual(["the time was up: 4 cases were not run", "0 passed, 0 failed, 4 not run"]);
    expect(recorded().cases.map(({ outcome }) => outcome)).toEqual(Array(4).fill("not run"));
    expect(status).toBe(4);
  });

  test("a program that does not start is no reason to try for ever", { timeout: 60_000 }, async () => {
    const nowhere = join(folder, "nowhere.mjs");
    const said: string[] = [];
    const log = vi.spyOn(console, "log").mockImplementation((line: string) => void said.push(line));
    expect(await check(folder, { only: [], module: nowhere })).toBe(4);
    log.mockRestore();
    expect(said[1]).toMatch(/^its process ended with exit code 1: .*: 4 cases were not run$/);
  });
});
