// How a router chooses, in words, read off the graph of its picks. In: the node of the picks [tokens.., K], how many experts.
// Out: `top 2 of 8`. The ways to choose are compositions of one primitive (compiler/build/choose.ts); what is not one of
// them is called by its bounds.

import type { ChooseNode, Node, ScanNode } from "../../compiler/graph.ts";
import { operandsOf } from "../../compiler/graph-walk.ts";
import { known, sizeKey, type Size } from "../../runtime/size.ts";

const text = (size: Size): string => sizeKey(size).replaceAll("*", " · ");

/** Choices and scans behind the picks, nearest first: through maps and views, not through what the scores are made of. */
function behind(picks: Node): { readonly chooses: readonly ChooseNode[]; readonly scans: readonly ScanNode[] } {
  const chooses: ChooseNode[] = [];
  const scans: ScanNode[] = [];
  const seen = new Set<Node>();
  let level: Node[] = [picks];
  while (level.length > 0) {
    const next: Node[] = [];
    for (const node of level) {
      if (seen.has(node)) continue;
      seen.add(node);
      if (node.op === "choose") chooses.push(node);
      if (node.op === "scan") scans.push(node);
      if (node.op === "contract" || node.op === "tensor" || node.op === "input") continue;
      next.push(...operandsOf(node));
    }
    level = next;
  }
  return { chooses, scans };
}

const lastSize = (node: Node): Size => node.shape.at(-1)?.size ?? [];

/** `width`: picks of a token at most; `all`: experts and nulls. */
export function choiceWords(picks: Node | undefined, width: number, all: number): string {
  if (picks === undefined) return `up to ${width} of ${all}`;
  const { chooses, scans } = behind(picks);
  const over = (node: ChooseNode): number | undefined => known(lastSize(node.score));
  const ids = chooses.find((node) => node.as === "ids" && over(node) !== undefined);
  const kept = chooses.find((node) => node.as === "mask");
  // Only expert choice marks places and then lists experts: its choice runs over tokens.
  if (ids === undefined && kept !== undefined) return `each expert takes its best ${text(kept.count)} tokens`;
  if (ids === undefined) return width >= all && chooses.length === 0 && picks.op === "view" ? `all ${all}` : `every one that passes, up to ${width} of ${all}`;
  const count = known(ids.count) ?? width;
  const among = over(ids)!;
  if (scans.length > 0 && count === width) return `the best until their sum passes, up to ${width} of ${all}`;
  if (kept !== undefined) return `top ${count} of ${all}, in the best ${text(kept.count)} of ${over(kept) ?? "?"} groups`;
  if (among < all && all % among === 0 && count < width) return `top ${count} in each of ${all / among} groups`;
  return `top ${count} of ${all}`;
}
