// npm run gpu:check: the differential suite of a pack against the CUDA driver of this machine. In: the folder of an unpacked pack, and texts
// of which a case's name must contain one. Out: a line for each case that fails, `N passed, N failed`. Exit codes: 0 all passed, 1 not,
// 2 no such pack, 3 no GPU to check on. Loads nothing of the compiler: what is checked is what the pack holds.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openCudaDevice, type CudaDevice } from "../../runtime/cuda/device.ts";
import { readCudaArtifact } from "../../runtime/cuda/folder.ts";
import { openCuda } from "../../runtime/cuda/session.ts";
import { UserError } from "../../runtime/errors.ts";
import type { Program } from "../../runtime/program.ts";
import { openSession } from "../../runtime/session.ts";
import { disagreement } from "./compare.ts";
import { manifestFile, type Case, type Manifest } from "./manifest.ts";

/** No driver, no GPU, or one that cannot be used. */
export const exitWithoutDevice = 3;

/** Or the one sentence that says why not, printed. */
export function deviceOrSentence(): CudaDevice | undefined {
  try {
    return openCudaDevice();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(`no GPU to run on: ${error.message} (${error.code})`);
    return undefined;
  }
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, manifestFile), "utf8")) as Manifest;
}

export async function check(folder: string, wanted: readonly string[]): Promise<number> {
  const device = deviceOrSentence();
  if (device === undefined) return exitWithoutDevice;
  const all = readManifest(folder).cases;
  const cases = all.filter(({ name }) => wanted.length === 0 || wanted.some((text) => name.includes(text)));
  if (cases.length === 0) {
    console.error(`no case's name contains ${wanted.join(" or ")}`);
    return 2;
  }
  const { capability } = device;
  console.log(
    `${device.name}, compute capability ${(capability / 10).toFixed(1)}, ${device.processors} processors`,
  );
  let [passed, failed] = [0, 0];
  for (const tested of cases) {
    const told = await outcome(tested, folder, device);
    if (told === undefined) passed++;
    else {
      failed++;
      console.log(`FAILED ${tested.name}: ${told.text}`);
      // Nothing works any more in this process.
      if (told.fatal) break;
    }
  }
  const left = cases.length - passed - failed;
  console.log(`${passed} passed, ${failed} failed${left > 0 ? `, ${left} not run` : ""}`);
  device.dispose();
  return failed > 0 ? 1 : 0;
}

async function outcome(
  tested: Case,
  folder: string,
  device: CudaDevice,
): Promise<{ readonly text: string; readonly fatal: boolean } | undefined> {
  const place = join(folder, tested.folder);
  const { sizes } = tested;
  const entries = tested.kind === "curve" ? { entries: ["train", "update"] } : {};
  const initialise = tested.start === "initial";
  try {
    const text = await disagreement(tested, async (where) => {
      if (where === "cpu") {
        const program = JSON.parse(readFileSync(join(place, "program.json"), "utf8")) as Program;
        const plain = new Uint8Array(readFileSync(join(place, "model.wasm")));
        return openSession(program, { plain }, { threads: 1, sizes, initialise, seed: 3, ...entries });
      }
      const artifact = readCudaArtifact(place);
      // Tensors are copied from the CPU, but for curves, which begin by themselves.
      const begins = initialise && tested.kind === "curve";
      return openCuda(artifact.program, artifact, {
        device,
        sizes,
        initialise: begins,
        seed: 3,
        ...entries,
      });
    });
    return text === undefined ? undefined : { text, fatal: false };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { text, fatal: error instanceof UserError && error.code === "R0706" };
  }
}
