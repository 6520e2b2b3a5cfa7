// What a page and Node do alike with a model on WebGPU, for tests: compile it in place for both devices, run every entry with the
// same made numbers on both, and load it as a generated module does. Knows only the package's public face.

import {
  compile,
  hostOf,
  openModel,
  openSession,
  openWebGpu,
  type Executor,
  type Port,
  type Program,
  type Sizes,
} from "../../index.ts";

/** Every number of a run, by `entry: output` and `entry: tensor`, step by step. */
export type Numbers = Readonly<Record<string, readonly number[]>>;

export interface Both {
  /** As the executors call themselves. */
  readonly where: readonly [string, string];
  readonly cpu: Numbers;
  readonly gpu: Numbers;
}

const path = "page.moe";

function compileBoth(text: string) {
  const host = hostOf({ [path]: text });
  const wasm = compile({ host, path }).compiled;
  const webgpu = compile({ host, path, target: "webgpu" }).compiled;
  if (wasm === undefined || webgpu === undefined) throw new Error("the model does not compile");
  return { wasm, webgpu };
}

const count = (port: Port, sizes: Sizes): number =>
  port.shape.reduce((product, size) => {
    const name = size[0]?.factors[0];
    const by = typeof name === "string" ? sizes[name]! : 1;
    return product * (size[0]?.coefficient ?? 0) * by;
  }, 1);

/** Numbers in [-1, 1), ids below the number of classes. */
function made(program: Program, port: Port, sizes: Sizes, step: number): number[] {
  const modality = program.modalities.find(({ ports }) => ports.includes(port.name));
  return Array.from({ length: count(port, sizes) }, (_, at) =>
    port.type === "i32" ? (at * 7 + step) % (modality?.count ?? 2) : ((at * 37 + step * 11) % 64) / 32 - 1,
  );
}

async function numbersOf(session: Executor, sizes: Sizes): Promise<Numbers> {
  const { program } = session;
  const found: Record<string, number[]> = {};
  for (const [step, name] of ["forward", "evaluate", "train", "update", "train", "update"].entries()) {
    const entry = program.entries[name];
    if (entry === undefined) continue;
    const inputs = Object.fromEntries(
      entry.inputs.map((port): [string, number | number[]] => [
        port.name,
        port.name.startsWith("$") ? step >> 2 : made(program, port, sizes, step),
      ]),
    );
    for (const [output, values] of Object.entries(await session.run(name, inputs)))
      found[`${step} ${name}: ${output}`] = Array.from(values);
    if (name === "update")
      for (const { name: tensor } of session.tensors())
        found[`${step} ${name}: ${tensor}`] = Array.from(await session.read(tensor));
  }
  return found;
}

/** Runs every entry of a model on the CPU and on WebGPU. */
export async function runOnBoth(text: string, sizes: Sizes): Promise<Both> {
  const { wasm, webgpu } = compileBoth(text);
  const cpu = await openSession(wasm.program, wasm.wasm, { threads: 1, sizes });
  const gpu = await openWebGpu(webgpu.program, webgpu.shaders, { sizes });
  try {
    return {
      where: [cpu.where, gpu.where],
      cpu: await numbersOf(cpu, sizes),
      gpu: await numbersOf(gpu, sizes),
    };
  } finally {
    cpu.dispose();
    gpu.dispose();
  }
}

/** Loads a model as a generated module does, on the device that it chooses, and gives `forward` of some numbers. */
export async function loadAnywhere(
  text: string,
  device: "auto" | "cpu",
  x: readonly (readonly number[])[],
): Promise<{ readonly where: string; readonly logits: readonly number[] }> {
  const { wasm, webgpu } = compileBoth(text);
  const files = {
    program: wasm.program,
    wasm: wasm.wasm,
    webgpu: { program: webgpu.program, shaders: webgpu.shaders },
  };
  const model = await openModel(files, { device, threads: 1, training: false });
  try {
    const { logits } = await model.forward({ x });
    return { where: model.session.where, logits: Array.from(logits!.values) };
  } finally {
    model.dispose();
  }
}
