// Which line of the text a dispatch comes from: the user's own, also for what the standard library computes, and the forward line
// for a gradient.

import { expect, test } from "vitest";
import { planModel } from "../compiler/compile.ts";
import { stdlib } from "../stdlib/sources.ts";

const main = `import std.experts { SwiGLU }
import std.routers { TopK }
import "./parts/shift.moe" { Shift }

moe Experts(D)(x: [D]) -> [D] {
  routed SwiGLU(D, 8) * 4
  router TopK { k = 2 }
}

model M {
  modality x = features(4)
  modality y = category(3)
  param head: [4, 3]
  x = Shift(4)(x)
  x = x + Experts(4)(x)
  logits = x @ head
  loss cross_entropy(logits, y)
}

train M {
  batch 8
  steps 10
  data x = csv("rows.csv", "x")
  data y = csv("rows.csv", "y")
  optimizer sgd { rate = 0.1 }
}
`;
const shift = `layer Shift(D)(x: [D]) -> [D] {
  param w: [D, D]

  exp(x @ w)
}
`;
const texts: Readonly<Record<string, string>> = {
  ...stdlib,
  "models/m.moe": main,
  "models/parts/shift.moe": shift,
};

const lineOf = (text: string, part: string): number => text.slice(0, text.indexOf(part)).split("\n").length;

test("a dispatch says which line asks for it", () => {
  const { planned, diagnostics } = planModel({
    host: { read: (path) => texts[path] },
    path: "models/m.moe",
    target: "webgpu",
  });
  expect(diagnostics).toEqual([]);
  const { entries } = planned!.program;
  const placesOf = (entry: string, label: RegExp): string[] => [
    ...new Set(
      entries[entry]!.dispatches.flatMap((dispatch) =>
        label.test(dispatch.label) ? [dispatch.place ?? "none"] : [],
      ),
    ),
  ];
  // In a module of one's own: there. In the standard library: where it is applied. A gradient: as what it is of.
  expect(placesOf("forward", /^shift: /)).toEqual(["parts/shift.moe:4"]);
  expect(placesOf("train", /^shift': /)).toEqual(["parts/shift.moe:4"]);
  expect(placesOf("forward", /^experts\.routed: /)).toEqual([`m.moe:${lineOf(main, "routed SwiGLU")}`]);
  expect(placesOf("train", /^experts\.routed': /)).toEqual([`m.moe:${lineOf(main, "routed SwiGLU")}`]);
  expect(placesOf("forward", /^experts\.router: /)).toEqual([`m.moe:${lineOf(main, "router TopK")}`]);
  expect(placesOf("update", /(mul|add|sub)/)).toEqual([`m.moe:${lineOf(main, "optimizer sgd")}`]);
});
