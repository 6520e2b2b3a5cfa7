// How a router chooses, in words, read off the graph of its picks. In: the node of the picks [tokens.., K], how many experts.
// Out: `top 2 of 8`. The ways to choose are compositions of one primitive (compiler/build/choose.ts); what is not one of
// them is called by its bounds.

import type { ChooseNode, Node } from "../../compiler/graph.ts";
import { operandsOf } from "../../compiler/graph-walk.ts";
import { known, sizeKey, type Size } from "../../runtime/size.ts";

const text = (size: Size): string => sizeKey(size).replaceAll("*", " · ");

interface Behind {
  /** Nearest first. */
  readonly chooses: readonly ChooseNode[];
  /** Sums run over a token's experts. */
  readonly scans: boolean;
  /** Sums run over tokens: who came before, for a capacity. */
  readonly queues: boolean;
  /** Places of experts are listed, and a condition strikes some out. */
  readonly lists: boolean;
}

/** What is behind the picks: through maps and views, not through what the scores are made of. */
function behind(picks: Node): Behind {
  const chooses: ChooseNode[] = [];
  let [scans, queues, lists] = [false, false, false];
  const seen = new Set<Node>();
  let level: Node[] = [picks];
  while (level.length > 0) {
    const next: Node[] = [];
    for (const node of level) {
      if (seen.has(node)) continue;
      seen.add(node);
      if (node.op === "choose") chooses.push(node);
      if (node.op === "scan" && node.axis === node.shape.length - 1) scans = true;
      if (node.op === "scan" && node.axis < node.shape.length - 1) queues = true;
      if (node.op === "index") lists = true;
      if (node.op !== "contract" && node.op !== "tensor" && node.op !== "input")
        next.push(...operandsOf(node));
    }
    level = next;
  }
  return { chooses, scans, queues, lists };
}

const lastSize = (node: Node): Size => node.shape.at(-1)?.size ?? [];

/** Places are marked for each expert, or for each group of experts. */
function limitWords(places: ChooseNode, all: number): string {
  const queues = known(places.score.shape.at(-2)?.size ?? []);
  return queues === undefined || queues >= all
    ? `, at most ${text(places.count)} tokens each`
    : `, at most ${text(places.count)} picks in each of ${queues} groups`;
}

/** `width`: picks of a token at most; `all`: experts and nulls. */
export function choiceWords(picks: Node | undefined, width: number, all: number): string {
  if (picks === undefined) return `up to ${width} of ${all}`;
  const { chooses, scans, queues, lists } = behind(picks);
  const over = (node: ChooseNode): number | undefined => known(lastSize(node.score));
  const groups = chooses.find(
    (node) => node.as === "mask" && over(node) !== undefined && over(node)! < all && all % over(node)! === 0,
  );
  const tokens = chooses.find((node) => node.as === "mask" && node !== groups);
  const ids = chooses.find((node) => node.as === "ids" && over(node) !== undefined);
  if (ids === undefined) {
    // Only expert choice marks places and then lists experts: its choice runs over tokens.
    const marked = tokens ?? groups;
    if (marked !== undefined) return `each expert takes its best ${text(marked.count)} tokens`;
    if (!lists) return "as the model says";
    return width >= all && picks.op === "view"
      ? `all ${all}`
      : `every one that passes, up to ${width} of ${all}`;
  }
  const count = known(ids.count) ?? width;
  const among = over(ids)!;
  const limit = tokens !== undefined ? limitWords(tokens, all) : queues ? ", with a capacity" : "";
  if (scans && count === width && tokens === undefined)
    return `the best until their sum passes, up to ${width} of ${all}${limit}`;
  if (groups !== undefined)
    return `top ${count} of ${all}, in the best ${text(groups.count)} of ${over(groups)!} groups${limit}`;
  if (among < all && all % among === 0 && count < width)
    return `top ${count} in each of ${all / among} groups${limit}`;
  return `top ${count} of ${all}${limit}`;
}
