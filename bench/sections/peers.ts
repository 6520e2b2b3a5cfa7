// Against what a user would pick instead: the same routed layer and the same language model, with the same weights and inputs,
// in float32 on two threads: PyTorch, jax-js, ONNX Runtime web. Every peer must first reproduce our output and the losses of
// our first three steps, optimiser included. Ratios are of speed: above 1, ours is faster.

import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openComparison, type Comparison } from "../comparison.ts";
import { machine } from "../machine.ts";
import { candidate, interleave, ratios, type Candidate, type MeasureOptions } from "../measure.ts";
import { findTorch, installPackages, peersFolder } from "../peers/install.ts";
import { routedModel } from "../peers/onnx-model.ts";
import { startPage } from "../peers/page.ts";
import { startProcess, type Peer } from "../peers/process.ts";
import type { Goal, Row, Section } from "../section.ts";

interface Running {
  readonly name: string;
  readonly peer: Peer;
  readonly forms: readonly string[];
  /** Entry to the request that runs it in a form. */
  readonly requests: Readonly<Partial<Record<Task, (form: string) => string>>>;
  readonly goals: Readonly<Partial<Record<Task, Goal>>>;
}

type Task = "layer forward" | "layer step" | "language step";
const tasks: readonly Task[] = ["layer forward", "layer step", "language step"];
const titles: Readonly<Record<Task, string>> = {
  "layer forward": "routed layer, forward",
  "layer step": "routed layer, training step",
  "language step": "language model, training step",
};

export async function peersSection(options: MeasureOptions): Promise<Section> {
  const skipped: string[] = [];
  const comparison = await openComparison();
  const running: Running[] = [];
  const start = async (name: string, open: () => Promise<Running>): Promise<void> => {
    try {
      const each = await open();
      running.push(each);
      await check(each, comparison);
    } catch (error) {
      const index = running.findIndex((each) => each.name === name);
      if (index >= 0) await running.splice(index, 1)[0]!.peer.stop();
      skipped.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };
  try {
    await start("PyTorch", () => torch(comparison));
    const missing = installPackages();
    if (missing !== undefined) skipped.push(`jax-js and ONNX Runtime web: ${missing}`);
    else {
      await start("ONNX Runtime web", () => onnx(comparison));
      // In a page it has threads; in Node it has one.
      await start("jax-js in Chromium", () => jaxPage(comparison));
      if (!running.some(({ name }) => name === "jax-js in Chromium"))
        await start("jax-js in Node", () => jaxNode(comparison));
    }
    const rows: Row[] = [];
    for (const task of tasks) rows.push(...(await measureTask(task, comparison, running, options)));
    const said = running.map(({ name, peer }) => `${name} (${describe(peer.hello)})`).join(", ");
    const title = `Against other libraries, speed ratios, two threads${said === "" ? "" : `: ${said}`}`;
    return { name: "peers", title, rows, skipped };
  } finally {
    for (const { peer } of running) await peer.stop();
    comparison.layer.workload.session.dispose();
    comparison.language.workload.session.dispose();
    rmSync(comparison.folder, { recursive: true, force: true });
  }
}

const describe = (hello: Readonly<Record<string, unknown>>): string =>
  Object.entries(hello)
    .map(([key, value]) =>
      key === "threads" ? `${String(value)} thread${value === 1 ? "" : "s"}` : String(value),
    )
    .join(", ");

async function torch({ folder }: Comparison): Promise<Running> {
  const found = findTorch();
  if ("reason" in found) throw new Error(found.reason);
  const step = { least: 0.25 };
  return {
    name: "PyTorch",
    peer: await startProcess(found.python, [`${peersFolder}/torch_peer.py`, folder], openBlasCore()),
    forms: ["loop", "padded"],
    requests: {
      "layer forward": (form) => `layer.forward.${form}`,
      "layer step": (form) => `layer.step.${form}`,
      "language step": (form) => `language.step.${form}`,
    },
    goals: { "layer forward": step, "layer step": step, "language step": { least: 0.4 } },
  };
}

/** Debian's OpenBLAS takes processors that are newer than itself for very old ones, at a fifth of the speed: say what they can. */
function openBlasCore(): Readonly<Record<string, string>> {
  const { vectors } = machine();
  if (vectors.includes("avx512f")) return { OPENBLAS_CORETYPE: "SkylakeX" };
  return vectors.includes("avx2") ? { OPENBLAS_CORETYPE: "Haswell" } : {};
}

async function onnx({ folder, layer }: Comparison): Promise<Running> {
  const read = (name: string): Float32Array => layer.initial.get(name) as Float32Array;
  const [router, gate, up, down] = ["router.w", "pool.gate", "pool.up", "pool.down"].map(read) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const sizes = { tokens: 512, width: 256, hidden: 512, experts: 8, k: 2 };
  writeFileSync(join(folder, "model.onnx"), routedModel({ ...sizes, router, gate, up, down }));
  return {
    name: "ONNX Runtime web",
    peer: await startProcess(process.execPath, [`${peersFolder}/onnx_peer.mjs`, folder]),
    forms: [""],
    requests: { "layer forward": () => "layer.forward" },
    goals: { "layer forward": { least: 1.2 } },
  };
}

const capacityOf = ({ layer, language }: Comparison) => ({
  layer: layer.fullest,
  language: language.fullest,
});

const jax = (name: string, peer: Peer): Running => ({
  name,
  peer,
  forms: ["dense", "grouped"],
  requests: { "layer step": (form) => `layer.${form}`, "language step": (form) => `language.${form}` },
  goals: { "layer step": { least: 5 }, "language step": { least: 5 } },
});

const jaxPage = async (comparison: Comparison): Promise<Running> =>
  jax(
    "jax-js in Chromium",
    await startPage(`${peersFolder}/jax_page.mjs`, comparison.folder, capacityOf(comparison)),
  );

async function jaxNode(comparison: Comparison): Promise<Running> {
  const args = [`${peersFolder}/jax_peer.mjs`, comparison.folder, JSON.stringify(capacityOf(comparison))];
  return jax("jax-js in Node", await startProcess(process.execPath, args));
}

const outputTolerance = 1e-4;
const lossTolerance = 1e-3;

interface Found {
  readonly difference: number;
  readonly layer?: readonly number[];
  readonly language?: readonly number[];
}

/** Throws unless the peer computes what we compute. */
async function check({ peer, forms }: Running, comparison: Comparison): Promise<void> {
  for (const form of forms) {
    const found = (await peer.ask({ do: "check", form })) as unknown as Found;
    if (!(found.difference < outputTolerance))
      throw new Error(`its output (${form}) differs from ours by ${found.difference} of the largest number`);
    for (const what of ["layer", "language"] as const)
      found[what]?.forEach((loss, step) => {
        const ours = comparison[what].losses[step]!;
        if (!(Math.abs(loss - ours) < lossTolerance * ours))
          throw new Error(`its loss of the ${what} (${form}) in step ${step} is ${loss}, ours ${ours}`);
      });
  }
}

async function measureTask(
  task: Task,
  { layer, language }: Comparison,
  running: readonly Running[],
  options: MeasureOptions,
): Promise<readonly Row[]> {
  const { workload } = task === "language step" ? language : layer;
  const ours = candidate("moelang", task === "layer forward" ? workload.forward : workload.step);
  const theirs: { readonly of: Running; readonly candidate: Candidate }[] = [];
  for (const each of running) {
    const request = each.requests[task];
    if (request !== undefined) theirs.push({ of: each, candidate: await bestForm(each, request) });
  }
  const times = await interleave([ours, ...theirs.map((each) => each.candidate)], options);
  const tokens = task === "language step" ? 8 * 128 : 512;
  const rate = (seconds: readonly number[]): string => `${Math.round(tokens / Math.min(...seconds))}`;
  return theirs.map((each, i): Row => {
    const goal = each.of.goals[task];
    return {
      name: `${titles[task]}, ours : ${each.candidate.name}`,
      ...ratios(times[i + 1]!, times[0]!),
      note: `${rate(times[0]!)} : ${rate(times[i + 1]!)} tokens/s`,
      ...(goal === undefined ? {} : { goal }),
    };
  });
}

/** The faster of a peer's formulations. The check has run each of them three times already. */
async function bestForm(
  { name, peer, forms }: Running,
  request: (form: string) => string,
): Promise<Candidate> {
  let best = { form: forms[0]!, seconds: Infinity };
  for (const form of forms) {
    if (forms.length === 1) break;
    const { seconds } = (await peer.ask({ do: request(form), runs: 2 })) as { readonly seconds: number };
    if (seconds < best.seconds) best = { form, seconds };
  }
  return {
    name: best.form === "" ? name : `${name} (${best.form})`,
    async turn(runs) {
      const { seconds } = (await peer.ask({ do: request(best.form), runs })) as { readonly seconds: number };
      // Threads of a peer may wait busily for a while after their work.
      await new Promise((resolve) => setTimeout(resolve, 30));
      return seconds;
    },
  };
}
