// The process of one job (jobs.ts): opens the GPU, does the job, and says on its standard output what it finds, as it finds it. In: a job. Out: an
// exit code, 3 where there is no GPU that can be used. Loads nothing of the compiler: what is tested is what the pack holds.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { openCudaDevice, type CudaDevice } from "../../runtime/cuda/device.ts";
import { readCudaArtifact } from "../../runtime/cuda/folder.ts";
import { openCuda } from "../../runtime/cuda/session.ts";
import { UserError } from "../../runtime/errors.ts";
import type { Program } from "../../runtime/program.ts";
import { openSession } from "../../runtime/session.ts";
import { measureCeilings } from "./ceilings.ts";
import { disagreement } from "./compare.ts";
import { diagnosed } from "./diagnose.ts";
import { exitWithoutDevice, sayNews, type Job } from "./jobs.ts";
import { ceilingsFolder, readManifest, type Case } from "./manifest.ts";
import { measureLayer } from "./measure-layer.ts";

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

export async function work(text: string): Promise<number> {
  const job = JSON.parse(text) as Job;
  const device = deviceOrSentence();
  if (device === undefined) return exitWithoutDevice;
  try {
    await done(job, device);
    return 0;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    console.error(`${error.message} (${error.code})`);
    return 1;
  } finally {
    device.dispose();
  }
}

async function done(job: Job, device: CudaDevice): Promise<void> {
  const { folder } = job;
  const { cases, layers } = readManifest(folder);
  switch (job.kind) {
    case "cases":
      for (const at of job.cases) {
        sayNews({ is: "begin", case: at });
        // Nothing works any more in this process.
        if (!(await settled(at, cases[at]!, folder, device))) return;
      }
      return;
    case "diagnose":
      return diagnose(cases[job.case]!, job, device);
    case "ceilings":
      return sayNews({ is: "ceilings", ceilings: measureCeilings(device, join(folder, ceilingsFolder)) });
    case "layer": {
      const layer = layers[job.layer]!;
      const artifact = readCudaArtifact(join(folder, layer.folder));
      return measureLayer(device, artifact, layer, job.tokens, sayNews);
    }
    default:
      return job satisfies never;
  }
}

const gpuOptions = ({ kind, sizes }: Case) => ({
  ...{ sizes, seed: 3 },
  ...(kind === "curve" ? { entries: ["train", "update"] } : {}),
});

/** Whether the process can go on. */
async function settled(number: number, tested: Case, folder: string, device: CudaDevice): Promise<boolean> {
  const place = join(folder, tested.folder);
  const initialise = tested.start === "initial";
  const begun = performance.now();
  const seconds = (): number => Math.round(performance.now() - begun) / 1e3;
  try {
    const told = await disagreement(tested, async (where) => {
      if (where === "cpu") {
        const program = JSON.parse(readFileSync(join(place, "program.json"), "utf8")) as Program;
        const plain = new Uint8Array(readFileSync(join(place, "model.wasm")));
        return openSession(program, { plain }, { threads: 1, initialise, ...gpuOptions(tested) });
      }
      const artifact = readCudaArtifact(place);
      // Tensors are copied from the CPU, but for curves, which begin by themselves.
      const begins = initialise && tested.kind === "curve";
      return openCuda(artifact.program, artifact, { device, initialise: begins, ...gpuOptions(tested) });
    });
    if (told === undefined) sayNews({ is: "passed", case: number, seconds: seconds() });
    else sayNews({ is: "failed", case: number, seconds: seconds(), ...told });
    return true;
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    sayNews({ is: "failed", case: number, seconds: seconds(), text });
    return !(error instanceof UserError && error.code === "R0706");
  }
}

function diagnose(
  tested: Case,
  { folder, entry, name }: Job & { kind: "diagnose" },
  device: CudaDevice,
): void {
  const artifact = readCudaArtifact(join(folder, tested.folder));
  const options = { device, initialise: tested.start === "initial", ...gpuOptions(tested) };
  const ptx = (artifact.images ?? []).filter(({ architecture }) => architecture.startsWith("compute"));
  const open = (images = artifact.images) =>
    openCuda(
      artifact.program,
      { source: artifact.source, ...(images === undefined ? {} : { images }) },
      options,
    );
  const both = ptx.length > 0 && ptx.length < artifact.images!.length;
  const sessions = { tested: open(), plain: both ? open(ptx) : undefined };
  try {
    const text = diagnosed(tested, sessions, { entry, name }, (what) => sayNews({ is: "kernel", what }));
    sayNews({ is: "diagnosis", text });
  } finally {
    sessions.plain?.dispose();
    sessions.tested.dispose();
  }
}
