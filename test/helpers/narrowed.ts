// A graph with operands of half width, in tests. In: a graph whose tensors are parameters, its environment, the target. Out: both with
// the copies that kernels read.

import type { Graph } from "../../compiler/graph.ts";
import { nodesOf, rootsOf } from "../../compiler/graph-walk.ts";
import { roundHalf } from "../../compiler/half.ts";
import type { Environment } from "../../compiler/interpret-graph.ts";
import { narrow } from "../../compiler/narrow.ts";
import type { Target } from "../../compiler/target.ts";
import type { Copy, Tensor } from "../../runtime/program.ts";
import { evaluate } from "../../runtime/size.ts";

export function narrowed(
  graph: Graph,
  environment: Environment,
  target: Target,
): { readonly graph: Graph; readonly environment: Environment; readonly copies: readonly Copy[] } {
  const tensors = nodesOf(rootsOf(graph)).flatMap((node): Tensor[] => {
    if (node.op !== "tensor") return [];
    const shape = node.shape.map(({ size }) => evaluate(size, environment.sizes));
    const about = { type: "f32", init: { kind: "constant", value: 0 } } as const;
    return [{ name: node.name, role: "parameter", shape, ...about }];
  });
  const { graphs, copies } = narrow([graph], tensors, target);
  return { graph: graphs[0]!, environment: withCopies(environment, copies), copies };
}

/** The environment with the copies' values. */
export const withCopies = (environment: Environment, copies: readonly Copy[] = []): Environment => ({
  ...environment,
  tensors: new Map([
    ...environment.tensors,
    ...copies.map(
      ({ name, of, type }) =>
        [name, Float32Array.from(environment.tensors.get(of)!, (x) => roundHalf(type, x))] as const,
    ),
  ]),
});
