// Structure of what surrounds experts: the kernels that a norm, streamed attention, a loss and AdamW become on a GPU, forward,
// backward and in the step, each with what it binds. A change here is a change of design.

import { expect, test } from "vitest";
import { planModel } from "../compiler/compile.ts";
import { stdlib } from "../stdlib/sources.ts";

const source = `
import std.attention { CausalAttention }
import std.norms { RMSNorm }

model Text {
  dim D = 64
  modality text = tokens(vocab = 256)
  param table: [256, D] = normal(0.02)
  x = table[text]
  x = x + CausalAttention(D, heads = 2)(RMSNorm(x))
  logits = x @ transpose(table)
  loss cross_entropy(logits, text.next)
}

train Text {
  data text = bytes("*.txt")
  batch 2 of 256
  steps 1
  optimizer adamw { rate = 0.1 }
}
`;

test("a norm, attention, a loss and an optimiser", () => {
  const host = { read: (path: string) => (path === "text.moe" ? source : stdlib[path]) };
  const { kernels, entries } = planModel({ host, path: "text.moe", target: "webgpu" }).planned!.program;
  const table = (entry: string): string[] =>
    entries[entry]!.dispatches.map(({ kernel, label }) => `${label} | ${kernels[kernel]!.buffers.length}`);
  const layer = [
    // The norm's own sum; what it scales is computed where the projections read it.
    "rmsnorm: sum | 3",
    "causalattention: contract x3 | 8",
    // Angles of the positions.
    "causalattention: pow | 1",
    "causalattention: cos | 2",
    "causalattention: sin | 2",
  ];
  // Scores, softmax and the values' sum are one kernel; the residual is added where the projection is computed.
  const attention = [
    "causalattention: stream max, sum, contract | 4",
    "causalattention: contract, add | 5",
    "contract | 3",
  ];
  expect(table("forward")).toEqual([...layer, ...attention]);
  expect(table("train")).toEqual([
    ...layer,
    // Turned queries and keys, which the backward pass reads again.
    "causalattention: add x2 | 5",
    ...attention,
    // The loss: what counts, how much, and the logarithms of the sums.
    ...["le | 2", "sum | 2", "select | 3", "max, exp, sum, add | 6", "sum | 6"],
    "': contract | 3",
    "causalattention': contract | 3",
    "causalattention': contract | 3",
    // The gradient of the table: a routing with a group for each id.
    ...["': route counts | 2", "': route | 4", "': contract | 3"],
    // Two streams: of keys and values, and of queries; shares are computed again.
    "causalattention': sum | 3",
    "causalattention': stream contract x2, mul | 7",
    "causalattention': contract | 3",
    "causalattention': contract | 6",
    "causalattention': stream contract, mul | 7",
    "causalattention': add x2 | 6",
    "causalattention': contract | 3",
    "causalattention': contract x2 | 8",
    "causalattention': contract, add x2 | 8",
    // The norm's gradient, and that of its scale in parts.
    ...["rmsnorm': sum parts | 5", "rmsnorm': sum | 2", "rmsnorm': sum, add | 6"],
    ...["': sum | 4", "': add | 3"],
  ]);
  const parameters = ["table", "norm", "q", "k", "v", "o"].length;
  expect(table("update")).toEqual([
    "const | 1",
    ...Array.from({ length: parameters - 2 }, () => "sum | 2"),
    "sum, add | 6",
    "sum, sqrt | 3",
    // Both moments and the parameter, in place.
    ...Array.from({ length: parameters }, () => "add x2, sub | 5"),
  ]);
});
