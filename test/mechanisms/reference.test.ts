// Entries of the standard library against numbers that NumPy computed (test/reference/values.py), with the steps of the released implementations: a second
// opinion beside the plain formulas of the other tests.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { runMechanism, type Mechanism } from "../helpers/mechanism.ts";

interface Case {
  readonly tensors: Readonly<Record<string, readonly number[]>>;
  readonly wanted: Readonly<Record<string, readonly number[]>>;
}
const values = JSON.parse(
  readFileSync(new URL("../reference/values.json", import.meta.url), "utf8"),
) as Readonly<Record<string, Case>>;

/** A layer whose input is one whole sequence or grid of the given shape, as a token of the test. */
const whole = (
  module: string,
  names: string,
  apply: string,
  shape: readonly number[],
): Partial<Mechanism> => {
  const count = shape.reduce((a, b) => a * b, 1);
  return {
    text: `import std.${module} { ${names} }
layer Whole(x: [${count}]) -> [${count}] {
  ${apply}(x as [${shape.join(", ")}]) as [${count}]
}`,
    apply: "Whole(x)",
    width: count,
  };
};
const cosine = (more: string): Partial<Mechanism> => ({
  text: "import std.routers { Cosine }",
  apply: `Cosine { N = 4${more} }(x)`,
  width: 5,
  experts: 4,
  length: 6,
});
const parts = (weighted: boolean): Partial<Mechanism> => ({
  ...whole(
    "heads",
    "PartsOfPatches, TokensForParts",
    `PartsOfPatches(3, 4, P = 2, N = 2, Router = TokensForParts { weighted = ${weighted} })`,
    [8, 3],
  ),
  length: 2,
});

const mechanisms: Readonly<Record<string, Partial<Mechanism>>> = {
  "shifted windows": whole(
    "windows",
    "WindowedAttention",
    "WindowedAttention(6, 9, 4, heads = 2, A = 3, shift = 1, hidden = 5)",
    [6, 9, 4],
  ),
  "cosine, softmax": cosine(""),
  "cosine, sigmoid": cosine(", independent = true"),
  patches: parts(false),
  "patches, weighted": parts(true),
  worth: {
    text: `import std.dynamic { SharedMass }
layer Worth(x: [6]) -> [4] {
  logits[i: 4] = x[i + 0]
  shared[i: 2] = x[i + 4]
  gate = SharedMass { N = 4 }(logits, shared, if x[0] > 0 then 10 else 1)
  weight = gate.weight
  place = one_hot(gate.picks, 4)
  y[e] = sum(weight[k] * place[k, e] over k)
}`,
    apply: "Worth(x)",
    width: 6,
    out: 4,
    length: 6,
  },
};

test("there is a mechanism for every case", () => {
  expect(Object.keys(mechanisms).sort()).toEqual(Object.keys(values).sort());
});
test.each(Object.keys(mechanisms))("%s", (name) => {
  const { tensors, wanted } = values[name]!;
  const { out, losses } = runMechanism({
    batch: 1,
    length: 1,
    ...(mechanisms[name] as Mechanism),
    tensors,
    on: "double",
  });
  const { out: rows, ...rest } = wanted;
  expect(out.flat()).toHaveLength(rows!.length);
  out.flat().forEach((value, i) => expect(value, `out ${i}`).toBeCloseTo(rows![i]!, 7));
  for (const [loss, [value]] of Object.entries(rest)) expect(losses[loss], loss).toBeCloseTo(value!, 8);
});
