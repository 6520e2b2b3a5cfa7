// Orthogonalises matrices by Newton-Schulz iterations: all singular values are brought near 1.
// In: f32 [.., rows, columns] (leading axes: a stack of matrices, as in a pool of experts). Out: the same shape.
// Source: Jordan et al., "Muon", 2024: five iterations of X <- a X + (b A + c A A) X with A = X X^T, on X / |X|.

import type { GraphBuilder } from "../graph-builder.ts";
import type { Node } from "../graph.ts";

const [a, b, c] = [3.4445, -4.775, 2.0315];
const iterations = 5;

export function orthogonalise(builder: GraphBuilder, matrix: Node): Node {
  const rank = matrix.shape.length;
  const stack = "efgh".slice(0, rank - 2);
  const [rows, columns] = matrix.shape.slice(-2);
  // The product A is square in the shorter side: transposing keeps it small.
  const wide = Number(rows!.size[0]?.coefficient ?? 0) <= Number(columns!.size[0]?.coefficient ?? 0);
  const length = builder.map("sqrt", builder.sum(builder.square(matrix), [rank - 2, rank - 1]));
  const axes = length.shape.map((_, axis) => axis);
  let x = builder.div(matrix, builder.broadcastTo(builder.add(length, 1e-7), matrix.shape, axes));
  if (!wide) x = builder.transpose(x);
  for (let i = 0; i < iterations; i++) {
    const square = builder.contract(x, x, `${stack}rk,${stack}sk->${stack}rs`);
    const fourth = builder.contract(square, square, `${stack}rk,${stack}ks->${stack}rs`);
    const polynomial = builder.add(builder.mul(square, b), builder.mul(fourth, c));
    x = builder.add(builder.mul(x, a), builder.contract(polynomial, x, `${stack}rk,${stack}ks->${stack}rs`));
  }
  return wide ? x : builder.transpose(x);
}
