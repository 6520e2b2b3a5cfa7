// Changes of a program's values with a known effect: experts permuted together with what scores them change nothing; sequences
// permuted permute what comes out; null experts add what their formula says. On wasm, without a reference implementation but
// for the last.

import { afterEach, describe, expect, test } from "vitest";
import type { Compiled } from "../compiler/compile.ts";
import { openSession, type Outputs, type Session } from "../runtime/session.ts";
import { compileText, expectAlike, inputsFor, tensorsFor } from "./helpers/differential.ts";

const open: Session[] = [];
afterEach(() => {
  for (const session of open.splice(0)) session.dispose();
});

async function start(compiled: Compiled, sizes: Record<string, number>): Promise<Session> {
  const session = await openSession(compiled.program, compiled.wasm, {
    threads: 1,
    sizes,
    initialise: false,
  });
  open.push(session);
  return session;
}

type Tensors = ReadonlyMap<string, Float64Array>;
const fill = (session: Session, tensors: Tensors): void => {
  for (const { name } of session.tensors()) session.write(name, tensors.get(name)!);
};

/** Blocks along an axis in another order: new block i is old block order[i]. */
function permute(
  data: ArrayLike<number>,
  shape: readonly number[],
  axis: number,
  order: readonly number[],
): Float64Array {
  const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1);
  const width = shape[axis]!;
  return Float64Array.from({ length: data.length }, (_, i) => {
    const at = Math.floor(i / inner) % width;
    return data[i + (order[at]! - at) * inner]!;
  });
}

const program = (router: string, pool: string): string => `
expert Mix(D)(x: [D]) -> [D] {
  param w: [D, D]
  param bias: [D]
  tanh(x @ w + bias)
}
router R(D, N)(x: [D]) -> gates[N] {
  param w: [D, N]
  state bias: [N] = 0
  z = x @ w + bias
  p = softmax(z)
  ${router}
  loss balance = 0.1 * N * sum(load / sum(load) * mean(p over tokens))
  after step: bias += 0.1 * sign(mean(load) - load)
}
model M {
  dim D = 6
  modality text = tokens(vocab = 11)
  param table: [11, D]
  x = table[text]
  pool = ${pool}
  logits = (x + pool(x) by R) @ transpose(table)
  loss cross_entropy(logits, text.next)
}
train M {
  data text = bytes("data.txt")
  batch 2 of 5
  steps 4
  optimizer adamw { rate = 0.01 }
}`;

const experts = 6;
const routers: readonly (readonly [string, string])[] = [
  ["top", "choose top 2 of p"],
  ["top, renormalised", "choose top 3 of p\n  weight p / sum(p)"],
  ["until", "choose until sum(p) > 0.5 by p"],
  ["where", "choose where z > 0.1\n  weight sigmoid(z)"],
  ["all", "choose all\n  weight p"],
  ["tokens per batch", "choose top 3 tokens of p for each expert per batch\n  weight p"],
  ["tokens per sequence", "choose top 2 tokens of p for each expert\n  weight p"],
  ["capacity", "choose top 2 of p\n  capacity 3"],
  ["capacity, lowest", "choose top 2 of p\n  capacity 3 drop lowest"],
];

/** One step of training, and an evaluation before. */
function step(
  session: Session,
  inputs: Readonly<Record<string, ArrayLike<number>>>,
): { readonly evaluation: Outputs; readonly training: Outputs; readonly update: Outputs } {
  const evaluation = session.run("evaluate", inputs);
  const training = session.run("train", inputs);
  return { evaluation, training, update: session.run("update", {}) };
}

describe("experts permuted with the columns of their router", () => {
  test.each(routers)("%s", async (_, router) => {
    const compiled = compileText(program(router, `Mix(D) * ${experts}`));
    const session = await start(compiled, { B: 2, T: 5 });
    const tensors = tensorsFor(compiled);
    const inputs = Object.fromEntries(inputsFor(compiled, compiled.program.entries["train"]!, session.sizes));
    const order = [4, 2, 0, 5, 1, 3];
    const axisOf = (name: string): number =>
      /pool\.(w|bias)$/.test(name)
        ? 0
        : /router\.w$/.test(name)
          ? 1
          : /(router\.bias|load\.router)$/.test(name)
            ? 0
            : -1;
    const shuffled = (name: string, data: ArrayLike<number>): ArrayLike<number> => {
      const { shape } = compiled.program.tensors.find((tensor) => tensor.name === name)!;
      const axis = axisOf(name);
      return axis < 0 ? data : permute(data, shape, axis, order);
    };
    fill(session, tensors);
    const want = step(session, inputs);
    const after = new Map(session.tensors().map(({ name }) => [name, session.read(name)]));
    for (const { name } of session.tensors()) session.write(name, shuffled(name, tensors.get(name)!));
    const got = step(session, inputs);
    expectAlike(got.evaluation["loss"]!, want.evaluation["loss"]!, "evaluated loss", 1e-6);
    expectAlike(got.training["loss"]!, want.training["loss"]!, "training loss", 1e-6);
    expect([...got.training["load.router"]!]).toEqual([
      ...permute(want.training["load.router"]!, [experts], 0, order),
    ]);
    expectAlike(got.update["norm"]!, want.update["norm"]!, "norm", 1e-5);
    for (const { name, role } of session.tensors())
      if (role === "parameter" || role === "state")
        expectAlike(session.read(name), shuffled(name, after.get(name)!), `new ${name}`, 1e-4);
  });
});

describe("sequences permuted", () => {
  const causal = routers.filter(([name]) => !name.includes("batch") && !name.startsWith("capacity"));
  test.each(causal)("%s", async (_, router) => {
    const compiled = compileText(program(router, `Mix(D) * ${experts}`));
    const [batch, length] = [3, 5];
    const session = await start(compiled, { B: batch, T: length });
    fill(session, tensorsFor(compiled));
    const text = Array.from({ length: batch * length }, (_, i) => (i * 7) % 11);
    const order = [2, 0, 1];
    const want = session.run("forward", { text })["logits"]!;
    const got = session.run("forward", { text: permute(text, [batch, length], 0, order) })["logits"]!;
    expectAlike(got, permute(want, [batch, length, 11], 0, order), "logits", 1e-6);
  });
});

describe("null experts", () => {
  const kinds = [
    ["zero", (_x: readonly number[], _i: number) => 0],
    ["copy", (x: readonly number[], i: number) => x[i]!],
    ["constant", (_x: readonly number[], i: number, constants: readonly number[]) => constants[i]!],
  ] as const;
  // More picks than true experts: at least one null for each token.
  test.each(kinds)("%s, with more picks than experts", async (kind, formula) => {
    const source = `
expert Gain(D)(x: [D]) -> [D] {
  param gain: [D]
  x * gain
}
router R(D, N)(x: [D]) -> gates[N] {
  param w: [D, N]
  p = softmax(x @ w)
  choose top 4 of p
  weight p / sum(p)
}
model M {
  modality x = features(3)
  pool = Gain(3) * 2 + ${kind} * 3
  logits = pool(x) by R
}`;
    const compiled = compileText(source);
    const session = await start(compiled, { B: 4 });
    const tensors = tensorsFor(compiled);
    fill(session, tensors);
    const { x } = Object.fromEntries(
      inputsFor(compiled, compiled.program.entries["forward"]!, session.sizes),
    ) as { x: Float64Array };
    const [w, gain] = [tensors.get("router.w")!, tensors.get("pool.gain")!];
    const constants = tensors.get("pool.constant");
    const want = [0, 1, 2, 3].flatMap((b) => {
      const row = [...x.slice(3 * b, 3 * b + 3)];
      const z = [0, 1, 2, 3, 4].map((e) => row.reduce((sum, v, i) => sum + v * w[i * 5 + e]!, 0));
      const order = [0, 1, 2, 3, 4].sort((i, j) => z[j]! - z[i]!).slice(0, 4);
      const total = order.reduce((sum, e) => sum + Math.exp(z[e]!), 0);
      return row.map((v, i) =>
        order.reduce(
          (sum, e) =>
            sum +
            (Math.exp(z[e]!) / total) *
              (e < 2
                ? v * gain[e * 3 + i]!
                : formula(
                    row,
                    i,
                    constants === undefined ? [] : [...constants.slice(3 * (e - 2), 3 * (e - 2) + 3)],
                  )),
          0,
        ),
      );
    });
    expectAlike(session.run("forward", { x: [...x] })["logits"]!, want, "logits", 1e-5);
  });
});
