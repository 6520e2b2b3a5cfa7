// The part that each label of a contraction plays in out[batch.., m, n] = sum over k of left[.., m, k] * right[.., k, n].
// In: a contract node. Out: its labels by role, or undefined when it is no matrix product (a side without labels of its
// own, rows on both sides): such contractions are lowered as reductions of a product (reduction.ts).

import type { ContractNode } from "../graph.ts";

export interface ContractRoles {
  /** The operand that owns m; the other one owns n, which has the last axis of the result where possible. */
  readonly left: "a" | "b";
  readonly batch: readonly string[];
  readonly m: readonly string[];
  readonly n: readonly string[];
  readonly k: readonly string[];
  readonly ragged?: { readonly kind: "rows" | "reduction"; readonly row: string; readonly group: string };
}

export function contractRoles(node: ContractNode): ContractRoles | undefined {
  const { labels, ragged } = node;
  const last = labels.out.at(-1);
  if (last === undefined) return undefined;
  let left: "a" | "b" = labels.a.includes(last) && !labels.b.includes(last) ? "b" : "a";
  const rows = ragged !== undefined && labels.out.includes(ragged.row);
  if (ragged !== undefined && rows) {
    if (labels.a.includes(ragged.row) === labels.b.includes(ragged.row)) return undefined;
    left = labels.a.includes(ragged.row) ? "a" : "b";
  }
  const mine = left === "a" ? labels.a : labels.b;
  const theirs = left === "a" ? labels.b : labels.a;
  const out = [...labels.out].filter((label) => label !== ragged?.group);
  let m = out.filter((label) => mine.includes(label) && !theirs.includes(label));
  const n = out.filter((label) => theirs.includes(label) && !mine.includes(label));
  let batch = out.filter((label) => theirs.includes(label) && mine.includes(label));
  const k = [...new Set([...mine, ...theirs])].filter(
    (label) => !labels.out.includes(label) && label !== ragged?.group,
  );
  if (ragged === undefined) {
    if (m.length === 0 || n.length === 0 || k.length === 0) return undefined;
    return { left, batch, m, n, k };
  }
  const { row, group } = ragged;
  if (rows) {
    if (n.length === 0 || k.length === 0 || !theirs.includes(group) || mine.includes(group)) return undefined;
    if (batch.length > 0) return undefined;
    batch = m.filter((label) => label !== row);
    m = [row];
    return { left, batch, m, n, k, ragged: { kind: "rows", row, group } };
  }
  if (!labels.out.includes(group) || mine.includes(group) || theirs.includes(group)) return undefined;
  if (k.length !== 1 || k[0] !== row || m.length === 0 || n.length === 0) return undefined;
  if (!mine.includes(row) || !theirs.includes(row)) return undefined;
  return { left, batch, m, n, k, ragged: { kind: "reduction", row, group } };
}
