// Opening: a text to a model that is ready to train, on the best device there is. In: what is asked for. Out: the model; why it runs
// elsewhere than it was asked to is told.

import { bytes } from "../../../cli/numbers.ts";
import { costOf } from "../../../cli/cost.ts";
import { compile } from "../../../compiler/compile.ts";
import { renderDiagnostics } from "../../../grammar/text.ts";
import { memoryPlan, withDefaults } from "../../../runtime/arena-plan.ts";
import { UserError } from "../../../runtime/errors.ts";
import type { LoadedModel } from "../../../runtime/model.ts";
import { openModel } from "../../../runtime/model-open.ts";
import type { Program } from "../../../runtime/program.ts";
import { mainPath, type Device, type TrainAsked } from "../messages.ts";
import { hostOf } from "./host.ts";

type Notice = (text: string) => void;

/** Below so many multiply-adds in a step, threads wait for each other longer than they work. */
const worthThreads = 20e6;

export async function open(asked: TrainAsked, device: Device, notice: Notice): Promise<LoadedModel> {
  if (device === "webgpu" || (device === "auto" && (await hasGpu())))
    try {
      return await openGpu(asked);
    } catch (problem) {
      if (!isGpuProblem(problem)) throw problem;
      notice(`${sentence(problem.message)} Training on the CPU instead.`);
    }
  return openCpu(asked, notice);
}

/** No WebGPU, no device, not enough of it, lost, or a kernel refused. */
export const isGpuProblem = (problem: unknown): problem is UserError =>
  problem instanceof UserError && /^R060[1-6]$/.test(problem.code);

export const sentence = (text: string): string =>
  `${text[0]!.toUpperCase()}${text.slice(1).replace(/\.+$/, "")}.`;

/** A GPU that is one: an adapter in software is slower than the CPU itself. */
async function hasGpu(): Promise<boolean> {
  const gpu = (navigator as { readonly gpu?: { requestAdapter(): Promise<unknown> } }).gpu;
  const adapter = (await gpu?.requestAdapter().catch(() => null)) as
    | { readonly isFallbackAdapter?: boolean; readonly info?: { readonly isFallbackAdapter?: boolean } }
    | null
    | undefined;
  if (adapter === null || adapter === undefined) return false;
  return adapter.isFallbackAdapter !== true && adapter.info?.isFallbackAdapter !== true;
}

const requestOf = ({ text, model }: TrainAsked) => ({
  host: hostOf(text),
  path: mainPath,
  ...(model === undefined ? {} : { model }),
});

/** What the page has already shown as mistakes, unless the text has just changed. */
const mistaken = (diagnostics: Parameters<typeof renderDiagnostics>[0], text: string): Error =>
  Object.assign(new Error(renderDiagnostics(diagnostics, (path) => hostOf(text).read(path))), {
    isPicture: true,
  });

async function openGpu(asked: TrainAsked): Promise<LoadedModel> {
  const { compiled, diagnostics } = compile({ ...requestOf(asked), target: "webgpu" });
  if (compiled === undefined) throw mistaken(diagnostics, asked.text);
  const { program, shaders } = compiled;
  const none = new Uint8Array();
  return openModel(
    { program, wasm: { plain: none }, webgpu: { program, shaders } },
    { device: "webgpu", seed: asked.seed },
  );
}

async function openCpu(asked: TrainAsked, notice: Notice): Promise<LoadedModel> {
  const { compiled, diagnostics } = compile(requestOf(asked));
  if (compiled === undefined) throw mistaken(diagnostics, asked.text);
  const { program, wasm } = compiled;
  const isLarge = workOf(program) > worthThreads;
  if (isLarge && !crossOriginIsolated)
    notice(
      "This page is not cross-origin isolated, so that the model runs on one thread: slower, with the same numbers.",
    );
  const threads = isLarge && crossOriginIsolated ? Math.min(8, navigator.hardwareConcurrency) : 1;
  const needed = memoryPlan(program, Object.keys(program.entries), withDefaults(program), threads).total;
  if (needed > mostMemory())
    throw new UserError(
      "R0603",
      `the model needs ${bytes(needed)} to train, and this page takes at most ${bytes(mostMemory())}`,
      { help: "make the batch, the length or the model smaller; `moe train` on your machine may take more" },
    );
  return openModel({ program, wasm }, { device: "cpu", threads, seed: asked.seed });
}

const workOf = (program: Program): number =>
  program.entries["train"] === undefined ? 0 : costOf(program, "train", withDefaults(program)).multiplyAdds;

/** A quarter of the machine's memory, as far as the browser tells it, and never more than a tab can have. */
const mostMemory = (): number =>
  Math.min(2, ((navigator as { readonly deviceMemory?: number }).deviceMemory ?? 8) / 4) * 2 ** 30;
