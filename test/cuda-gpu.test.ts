// The suite and the bench for machines with a GPU, on the driver without one: what they say of programs that agree and of one that does not.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test, vi } from "vitest";
import { printCuda } from "../compiler/cuda/print.ts";
import { benchLayer } from "../gpu/bench.ts";
import { layerName, layerText } from "../gpu/cases.ts";
import { check } from "../gpu/check.ts";
import { openCudaDevice } from "../runtime/cuda/device.ts";
import { cudaFiles, imageFiles, readCudaArtifact } from "../runtime/cuda/folder.ts";
import { fakeDriver, hasCompiler, hostImage } from "./helpers/cuda-host.ts";
import { planCuda } from "./helpers/cuda-session.ts";
import { compileText } from "./helpers/differential.ts";

const folder = mkdtempSync(join(tmpdir(), "moe-gpu-"));
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

function write(name: string, text: string, change = (source: string): string => source): string {
  const at = join(folder, name);
  mkdirSync(at, { recursive: true });
  const { program, kernels } = planCuda(text);
  const source = printCuda(kernels);
  const bytes = new TextEncoder().encode(hostImage(change(source)));
  const code = { source, images: [{ architecture: "compute_80", bytes }] };
  for (const [file, content] of [...cudaFiles(program, code), ...imageFiles(code)])
    writeFileSync(join(at, file), content);
  return at;
}

test.skipIf(!hasCompiler)(
  "gpu:check says which programs agree with the CPU",
  { timeout: 120_000 },
  async () => {
    const text = readFileSync(new URL("./programs/if-element.moe", import.meta.url), "utf8");
    const { program, wasm } = compileText(text);
    // One whose products are wrong.
    for (const [name, change] of [
      ["right", (source: string) => source],
      [
        "wrong",
        (source: string) =>
          source.replaceAll("fmaf(a.x, b.x, c.x)", "c.x").replaceAll(/= (\w+\[.*\]) \*/g, "= 2 * $1 *"),
      ],
    ] as const) {
      const at = write(`check/${name}`, text, change);
      writeFileSync(join(at, "program.json"), JSON.stringify(program));
      writeFileSync(join(at, "model.wasm"), wasm.plain);
      writeFileSync(join(at, "model.relaxed.wasm"), wasm.relaxed);
    }
    const said: string[] = [];
    vi.spyOn(console, "log").mockImplementation((line: string) => void said.push(line));
    const device = openCudaDevice({ driver: fakeDriver().path });
    expect(await check(device, folder)).toBe(false);
    device.dispose();
    expect(said[0]).toBe("good right");
    expect(said[1]).toBe("BAD  wrong");
    expect(said.at(-1)).toBe("1 of 2 programs agree with the CPU on Imagined GPU");
  },
);

test.skipIf(!hasCompiler)("gpu:bench measures a layer", { timeout: 120_000 }, () => {
  const layer = { width: 32, hidden: 16, experts: 4, picks: 2 };
  write(layerName(layer, "f32"), layerText(layer));
  const device = openCudaDevice({ driver: fakeDriver().path });
  const rows = benchLayer(device, folder, layer, "f32", [1, 8], {
    multiplyAdds: 1e9,
    matrix: 1e9,
    copy: 1e9,
  });
  device.dispose();
  expect(rows).toHaveLength(2);
  for (const row of rows)
    expect(row).toMatch(/^\(32, 16, 4, 2\) +f32 +[18] +[\d.]+ +[\d.]+ +[\d.]+ % +[\d.]+ +[\d.]+ %$/);
});

test.skipIf(!hasCompiler)("an image of another source is not taken", () => {
  const at = write("old", layerText({ width: 8, hidden: 4, experts: 2, picks: 1 }));
  expect(readCudaArtifact(at).images).toHaveLength(1);
  writeFileSync(join(at, "kernels.cu"), `${readFileSync(join(at, "kernels.cu"), "utf8")}\n`);
  expect(readCudaArtifact(at).images).toHaveLength(0);
  expect(() => readCudaArtifact(join(folder, "nowhere"))).toThrow("holds no kernels for CUDA");
});
