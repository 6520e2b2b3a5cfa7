// An executor that goes on elsewhere: a device that refuses an entry at its first use, here a CPU that is told to. What has been
// trained by then goes along, bit for bit.
import { afterEach, describe, expect, test } from "vitest";
import { UserError } from "../runtime/errors.ts";
import type { Executor } from "../runtime/executor.ts";
import { Fallback } from "../runtime/fallback.ts";
import { openSession, type Session } from "../runtime/session.ts";
import type { Sizes } from "../runtime/size.ts";
import { compileText } from "./helpers/differential.ts";

const { program, wasm } = compileText(`
model M {
  modality x = features(3)
  modality y = number
  param w: [3] = normal(1)
  logits = x @ w
  loss square(logits - y)
}
train M {
  data x = csv("a.csv", "a", "b", "c")
  data y = csv("a.csv", "y")
  optimizer adamw { rate = 0.1 }
  batch 2
  steps 9
}`);

const open: Executor[] = [];
afterEach(() => open.splice(0).forEach((executor) => executor.dispose()));
const session = async (sizes: Sizes = {}): Promise<Session> => {
  const made = await openSession(program, wasm, { threads: 1, sizes });
  open.push(made);
  return made;
};

/** A session that refuses an entry with an error of this code, from its `from`th run on. */
async function refusing(entry: string, code: string, from = 0): Promise<Executor> {
  const inner = await session();
  let runs = 0;
  const refuse = (name: string): void => {
    if (name === entry && runs++ >= from) throw new UserError(code, `the device refuses \`${name}\``);
  };
  return new Proxy<Executor>(inner, {
    get(target, name): unknown {
      if (name === "prepare" || name === "run")
        return (asked: string, ...rest: unknown[]): unknown => {
          refuse(asked);
          return (target[name] as (...all: unknown[]) => unknown)(asked, ...rest);
        };
      if (name === "bind")
        return (sizes: Sizes): unknown => {
          const bound = target.bind(sizes);
          return {
            sizes: bound.sizes,
            run: (asked: string, ...rest: [never]): unknown => {
              refuse(asked);
              return bound.run(asked, ...rest);
            },
          };
        };
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
}

const batch = { x: [1, 2, 3, 4, 5, 6], y: [1, -1] };
async function step(executor: Executor, number: number): Promise<number> {
  const outputs = await executor.run("train", batch);
  await executor.run("update", { $step: number });
  return outputs["loss"]![0]!;
}
const steps = async (executor: Executor): Promise<readonly number[]> => [
  await step(executor, 0),
  await step(executor, 1),
  await step(executor, 2),
];

describe("a refused entry", () => {
  test.each([
    ["train", "R0606", 0],
    ["update", "R0606", 0],
    ["update", "R0603", 1],
    ["train", "R0604", 2],
  ])("%s, %s in its run %i", async (entry, code, from) => {
    const plain = await session();
    const want = await steps(plain);
    let opened = 0;
    const executor = new Fallback(await refusing(entry, code, from), (sizes) => {
      opened++;
      return session(sizes);
    });
    expect(await steps(executor)).toEqual(want);
    expect(await executor.read("w")).toEqual(plain.read("w"));
    expect(opened).toBe(1);
    expect(executor.where).toBe(`CPU, 1 thread (the device refuses \`${entry}\`)`);
  });

  test("at other sizes, and what was bound before", async () => {
    const executor = new Fallback(await refusing("forward", "R0606"), session);
    executor.resize({ B: 3 });
    const bound = executor.bind({ B: 1 });
    const { logits } = await bound.run("forward", { x: [1, 1, 1] });
    expect(logits).toHaveLength(1);
    expect(executor.sizes["B"]).toBe(3);
    expect((await bound.run("forward", { x: [1, 1, 1] }))["logits"]).toEqual(logits);
  });

  test("asked for twice at a time, it moves once", async () => {
    let opened = 0;
    const executor = new Fallback(await refusing("forward", "R0606"), (sizes) => {
      opened++;
      return session(sizes);
    });
    const inputs = { x: batch.x };
    const both = await Promise.all([executor.run("forward", inputs), executor.run("forward", inputs)]);
    expect(both[0]).toEqual(both[1]);
    expect(opened).toBe(1);
  });
});

test("a device that is lost, and other mistakes, are told", async () => {
  const executor = new Fallback(await refusing("train", "R0605"), session);
  await expect(step(executor, 0)).rejects.toThrow("the device refuses");
  await expect(executor.run("nothing", {})).rejects.toThrow("nothing");
  expect(executor.where).toBe("CPU, 1 thread");
});

test("what the other device refuses is told as well", async () => {
  const executor = new Fallback(await refusing("train", "R0606"), () => refusing("train", "R0604"));
  await expect(step(executor, 0)).rejects.toMatchObject({ code: "R0604" });
});
