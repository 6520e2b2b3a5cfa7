// The part that each label of a contraction plays in out[batch.., m, n] = sum over k of left[.., m, k] * right[.., k, n].
// In: a contract node. Out: its labels by role, or undefined when it is no matrix product (a side without labels of its
// own, rows on both sides): such contractions are lowered as reductions of a product (reduction.ts).

import type { Axis, ContractNode } from "../graph.ts";

export interface ContractRoles {
  /** The operand that owns m; the other one owns n, which has the last axis of the result where possible. */
  readonly left: "a" | "b";
  readonly batch: readonly string[];
  readonly m: readonly string[];
  readonly n: readonly string[];
  readonly k: readonly string[];
  /** Without `group`, all rows are one group: a dense matrix applied to the rows of a routing. */
  readonly ragged?: { readonly kind: "rows" | "reduction"; readonly row: string; readonly group?: string };
}

const found = new Map<string, { readonly roles: ContractRoles | undefined }>();

/** They follow from the labels and from which of them are of rows: of thousands of contractions, few are unlike. */
export function contractRoles(node: ContractNode): ContractRoles | undefined {
  const { labels, ragged } = node;
  const rows = rowLabels(node);
  const key = `${labels.a},${labels.b}->${labels.out} ${rows} ${ragged?.row} ${ragged?.group}`;
  let entry = found.get(key);
  if (entry === undefined) found.set(key, (entry = { roles: findRoles(node, rows) }));
  return entry.roles;
}

function rowLabels({ a, b, labels }: ContractNode): string {
  let rows = "";
  for (let i = 0; i < a.shape.length; i++) if (a.shape[i]!.kind === "ragged") rows += labels.a[i]!;
  for (let i = 0; i < b.shape.length; i++)
    if (b.shape[i]!.kind === "ragged" && !labels.a.includes(labels.b[i]!)) rows += labels.b[i]!;
  return rows;
}

export function axisOfLabel(node: ContractNode, label: string): Axis {
  const at = node.labels.a.indexOf(label);
  return at >= 0 ? node.a.shape[at]! : node.b.shape[node.labels.b.indexOf(label)]!;
}

function findRoles({ labels, ragged }: ContractNode, rowLabels: string): ContractRoles | undefined {
  const last = labels.out.at(-1);
  if (last === undefined) return undefined;
  const all = [...new Set([...labels.a, ...labels.b])];
  const row = ragged?.row ?? rowLabels[0];
  const group = ragged?.group;
  if ([...rowLabels].some((label) => label !== row)) return undefined;
  let left: "a" | "b" = labels.a.includes(last) && !labels.b.includes(last) ? "b" : "a";
  const rows = row !== undefined && labels.out.includes(row);
  if (row !== undefined && rows) {
    if (labels.a.includes(row) === labels.b.includes(row)) return undefined;
    left = labels.a.includes(row) ? "a" : "b";
  }
  const mine = left === "a" ? labels.a : labels.b;
  const theirs = left === "a" ? labels.b : labels.a;
  const out = [...labels.out].filter((label) => label !== group);
  const m = out.filter((label) => mine.includes(label) && !theirs.includes(label));
  const n = out.filter((label) => theirs.includes(label) && !mine.includes(label));
  const batch = out.filter((label) => theirs.includes(label) && mine.includes(label));
  const k = all.filter((label) => !labels.out.includes(label) && label !== group);
  if (m.length === 0 || n.length === 0 || k.length === 0) return undefined;
  if (row === undefined) return { left, batch, m, n, k };
  const about = { row, ...(group === undefined ? {} : { group }) };
  if (rows) {
    if (group !== undefined && (!theirs.includes(group) || mine.includes(group))) return undefined;
    const others = m.filter((label) => label !== row);
    return { left, batch: [...batch, ...others], m: [row], n, k, ragged: { kind: "rows", ...about } };
  }
  if (group !== undefined && (!labels.out.includes(group) || mine.includes(group) || theirs.includes(group)))
    return undefined;
  if (k.length !== 1 || k[0] !== row || !mine.includes(row) || !theirs.includes(row)) return undefined;
  return { left, batch, m, n, k, ragged: { kind: "reduction", ...about } };
}
