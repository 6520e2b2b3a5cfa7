// The rules of `start`, applied to the names of a model's tensors: the first rule that names a tensor says where it comes from. In:
// rules with patterns, tensors. Out: a value for each tensor that is named, with the names of the source.

import type { Start, StartValue, Tensor } from "../runtime/program.ts";
import type { StartPlan } from "./elaborate/start.ts";
import { capture, fill, stars } from "./pattern.ts";

/** Parameters, and states of layers; never the optimiser's. */
const begins = ({ role }: Tensor): boolean => role === "parameter" || role === "state";

export function startTensors({ sources, rules }: StartPlan, tensors: readonly Tensor[]): Start {
  return {
    sources,
    rules: rules.map(({ text, place, target }) => ({ text, place, exact: stars(target) === 0 })),
    tensors: tensors.filter(begins).flatMap(({ name }) => {
      for (const [rule, { target, value }] of rules.entries()) {
        const texts = capture(target, name);
        if (texts !== undefined) return [{ name, rule, value: named(value, texts) }];
      }
      return [];
    }),
  };
}

/** With the texts that the stars of the target stand for. */
function named(value: StartValue, texts: readonly string[]): StartValue {
  switch (value.kind) {
    case "tensor":
      return { ...value, name: fill(value.name, texts) };
    case "take": {
      const { of, positions } = value;
      const places =
        "largest" in positions ? { ...positions, largest: named(positions.largest, texts) } : positions;
      return { ...value, of: named(of, texts), positions: places };
    }
    case "copy":
    case "slice":
    case "transpose":
      return { ...value, of: named(value.of, texts) };
    case "concat":
      return { ...value, of: value.of.map((part) => named(part, texts)) };
    case "stack":
      return { ...value, of: value.of.map((part) => named(part, texts)) };
    case "mean":
      return { ...value, of: value.of.map((part) => named(part, texts)) };
    case "fresh":
      return value;
    default:
      return value satisfies never;
  }
}
