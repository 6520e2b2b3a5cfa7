// The most multiply-adds per second that this engine reaches: a loop of nothing but fused (or separate) multiply-adds on
// registers. The measure that contraction kernels are held against.

import * as encode from "../../compiler/wasm/encoder.ts";

/** One function `peak(rounds)` over so many accumulators; a round does 4 multiply-adds on each, in lanes. */
export function peakModule(accumulators: number, relaxed: boolean): Uint8Array {
  const code = encode.code();
  const [a, b] = [2 + accumulators, 3 + accumulators];
  for (const [index, value] of [
    [a, 0.5],
    [b, 0.25],
  ] as const) {
    encode.f32Const(code, value);
    encode.plain(code, "f32x4.splat");
    encode.localSet(code, index);
  }
  encode.beginLoop(code);
  for (let repeat = 0; repeat < 4; repeat++)
    for (let index = 2; index < 2 + accumulators; index++) {
      if (relaxed) {
        for (const operand of [a, b, index]) encode.localGet(code, operand);
        encode.plain(code, "f32x4.relaxed_madd");
      } else {
        for (const operand of [a, b]) encode.localGet(code, operand);
        encode.plain(code, "f32x4.mul");
        encode.localGet(code, index);
        encode.plain(code, "f32x4.add");
      }
      encode.localSet(code, index);
    }
  encode.localGet(code, 1);
  encode.i32Const(code, 1);
  encode.plain(code, "i32.add");
  encode.localSet(code, 1);
  encode.localGet(code, 1);
  encode.localGet(code, 0);
  encode.plain(code, "i32.lt_s");
  encode.branchIf(code, 0);
  encode.end(code);
  encode.localGet(code, 2);
  for (let index = 3; index < 2 + accumulators; index++) {
    encode.localGet(code, index);
    encode.plain(code, "f32x4.add");
  }
  encode.plain(code, "f32x4.extract_lane");
  return encode.encodeModule(
    [
      {
        parameters: ["i32"],
        results: ["f32"],
        locals: ["i32", ...Array<"v128">(accumulators + 2).fill("v128")],
        code: code.bytes,
        export: "peak",
      },
    ],
    { shared: false, relaxed },
  );
}

/** Multiply-adds of one round of `peakModule`. */
export const peakRound = (accumulators: number): number => 4 * 4 * accumulators;
