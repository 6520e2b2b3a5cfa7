// Threefry against the published known answers, and the `random` expression on both back ends.

import { expect, test } from "vitest";
import { runKernel } from "../compiler/interpret-kernel.ts";
import { threefry } from "../runtime/random.ts";
import { buffer, i, kernel, local, loop, store } from "./helpers/kernels.ts";
import { runOnWasm, type Buffers } from "./helpers/wasm.ts";

// Random123, kat_vectors: threefry2x32 with 20 rounds: counter, key, result
test.each([
  [
    [0, 0],
    [0, 0],
    [0x6b200159, 0x99ba4efe],
  ],
  [
    [0xffffffff, 0xffffffff],
    [0xffffffff, 0xffffffff],
    [0x1cb996fc, 0xbb002be7],
  ],
  [
    [0x243f6a88, 0x85a308d3],
    [0x13198a2e, 0x03707344],
    [0xc4923a9c, 0x483df7a0],
  ],
])("threefry of counter %j, key %j", (counter, key, expected) => {
  expect(threefry(key[0]!, key[1]!, counter[0]!, counter[1]!)).toEqual(expected);
});

test("random numbers are the same bits on every back end", () => {
  const count = 64;
  const at = local("at", "i32");
  const random = { op: "random", key0: i(0x13198a2e), key1: i(-7), counter: at, stream: 3 } as const;
  const drawn = kernel({
    buffers: [buffer("f", "write", count), buffer("w", "write", count, "i32")],
    body: [
      loop("at", i(count), [
        store("f", at, { ...random, type: "f32" }),
        store("w", at, { ...random, type: "i32" }),
      ]),
    ],
  });
  const buffers = (): Buffers =>
    new Map<string, Float32Array | Int32Array>([
      ["f", new Float32Array(count)],
      ["w", new Int32Array(count)],
    ]);
  const [expected, actual] = [buffers(), buffers()];
  runKernel(drawn, expected, {});
  runOnWasm(drawn, actual);
  expect(actual).toEqual(expected);
  expect(expected.get("w")![5]).toBe(threefry(0x13198a2e, -7, 5, 3)[0] | 0);
  for (const value of expected.get("f")!) expect(value >= 0 && value < 1).toBe(true);
});
