// Simplifies a graph by tables of named rules, bottom-up: every node is made anew by a builder that applies the rules of
// its operation, so that what a rule makes is simplified as well. Then rules that need to know the users of a value are
// tried until none applies. Near linear: a node is looked at once per pass.
// In: a graph, or several of one builder, which have nodes in common. Out: equal graphs, in a builder of their own (dead nodes are not
// carried over). Does not fuse, and does not merge contractions that share an operand: that is the fuser's.

import type { Graph, Node } from "./graph.ts";
import { GraphBuilder } from "./graph-builder.ts";
import { NodeMap, type ReadonlyNodeMap } from "./graph-map.ts";
import { rebuild } from "./graph-rebuild.ts";
import { nodesOf, rootsOf } from "./graph-walk.ts";
import { contractRules } from "./simplify-contract.ts";
import { mapRules, rulesByFunction, stopRule } from "./simplify-map.ts";
import { reduceRules } from "./simplify-reduce.ts";
import { combineRules, dispatchRules, sumOfPicks } from "./simplify-route.ts";
import type { Rule } from "./simplify-rule.ts";
import { sharedRules, surroundingsOf, type SharedRule } from "./simplify-shared.ts";
import { tileRules } from "./simplify-tile.ts";
import { viewRules } from "./simplify-view.ts";

export interface SimplifyOptions {
  /** Drops `stop` nodes: after differentiation they are identities. */
  readonly removeStops?: boolean;
  /** Called with the name of every rule that applied, and the node that it replaced. */
  readonly trace?: (rule: string, node: Node) => void;
}

type RuleTable = { readonly [Op in Node["op"]]: readonly Rule<Extract<Node, { op: Op }>>[] };

const tableOf = (removeStops: boolean): RuleTable => ({
  input: [],
  tensor: [],
  const: [],
  size: [
    {
      name: "a known size",
      apply: (b, { size }) => {
        const [term, ...rest] = size;
        if (rest.length > 0 || (term !== undefined && term.factors.length > 0)) return undefined;
        return b.constant(term?.coefficient ?? 0, "i32");
      },
    },
  ],
  index: [],
  random: [],
  map: removeStops ? [stopRule, ...mapRules] : mapRules,
  view: viewRules,
  reduce: [...sumOfPicks, ...reduceRules],
  scan: [],
  contract: contractRules,
  choose: [],
  route: [],
  part: [],
  dispatch: dispatchRules,
  combine: combineRules,
  take: [],
});

const noRules: readonly SharedRule[] = [];
/** Rules that look at the users of a value, by the operation of the node. */
const userRules = new Map<Node["op"], SharedRule[]>();
for (const rule of [...sharedRules, ...tileRules])
  userRules.set(rule.op, [...(userRules.get(rule.op) ?? []), rule]);

/** Whether something else became of an operand, or of a routing that the shape names. */
function isStale(node: Node, made: ReadonlyNodeMap<Node>): boolean {
  for (const operand of node.operands) if (made.has(operand)) return true;
  for (const axis of node.shape) if (axis.kind === "ragged" && made.has(axis.by)) return true;
  return false;
}

/** More passes than any graph needed; a set of rules that undo each other must not hang. */
const passLimit = 12;

export const simplify = (graph: Graph, options: SimplifyOptions = {}): Graph =>
  simplifyTogether([graph], options)[0]!;

/** Graphs of one builder: what several of them have is made anew once. */
export function simplifyTogether(
  graphs: readonly Graph[],
  { removeStops = false, trace }: SimplifyOptions = {},
): readonly Graph[] {
  const table = tableOf(removeStops);
  const mapRulesOf = rulesByFunction(table.map);
  let contracts = false;
  const builder: GraphBuilder = new GraphBuilder((node) => {
    if (node.op === "contract") contracts = true;
    const rules = node.op === "map" ? mapRulesOf(node.fn) : table[node.op];
    for (const rule of rules as readonly Rule[]) {
      const better = rule.apply(builder, node);
      if (better === undefined || better === node) continue;
      trace?.(rule.name, node);
      return better;
    }
    return undefined;
  });

  const renamed = (old: Graph, of: (node: Node) => Node): Graph => ({
    name: old.name,
    outputs: old.outputs.map((output) => ({ ...output, node: of(output.node) })),
    updates: old.updates.map((update) => ({ ...update, node: of(update.node) })),
  });

  /** The graphs with every node made anew. */
  const remake = (): readonly Graph[] => {
    const nodes = nodesOf(graphs.flatMap(rootsOf));
    const made = new NodeMap<Node>(nodes);
    const of = (node: Node): Node => made.get(node)!;
    for (const node of nodes) {
      builder.origin = node.origin;
      made.set(node, rebuild(builder, node, of));
    }
    return graphs.map((graph) => renamed(graph, of));
  };

  /** The graph after one round of the rules that look at users; itself when none applied. */
  const improve = (old: Graph): Graph => {
    const nodes = nodesOf(rootsOf(old));
    const around = surroundingsOf(old, nodes);
    /** What became of nodes that are not what they were. */
    const made = new NodeMap<Node>(nodes);
    const of = (node: Node): Node => made.get(node) ?? node;
    let applied = false;
    for (const node of nodes) {
      builder.origin = node.origin;
      for (const rule of userRules.get(node.op) ?? noRules) {
        const better = rule.apply(builder, node, around, of);
        if (better === undefined) continue;
        trace?.(rule.name, node);
        applied = true;
        made.set(node, better);
        break;
      }
      if (!applied || made.has(node)) continue;
      if (isStale(node, made)) made.set(node, rebuild(builder, node, of));
    }
    return applied ? renamed(old, of) : old;
  };

  /** Rounds until no rule applies. Rules that look at users look at those of contractions; the graph of an optimiser has none. */
  const improved = (graph: Graph): Graph => {
    let current = graph;
    for (let round = 0; contracts && round < passLimit; round++) {
      const next = improve(current);
      if (next === current) break;
      current = next;
    }
    return current;
  };

  // The last one has most of the nodes of the others: they find there what they need, in the order that it has there.
  return remake().reduceRight<readonly Graph[]>((done, graph) => [improved(graph), ...done], []);
}
