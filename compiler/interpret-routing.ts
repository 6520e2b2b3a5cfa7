// Selection and routing on plain numbers, as graph.ts defines them: the specification of `choose` and `route`.
// In: scores or picks. Out: ids, or the tables of a routing. Slow on purpose.

/** A routing with its tables made. `rows` rows are there, ordered by group, then token, then pick. */
export interface Routing {
  readonly rows: number;
  readonly groups: number;
  readonly tokens: number;
  readonly picksPerToken: number;
  readonly offsets: readonly number[];
  /** Per row: token * picksPerToken + pick. */
  readonly source: readonly number[];
  readonly group: readonly number[];
  /** Per pick: its row, or -1. */
  readonly slot: readonly number[];
}

/** The indices of the `count` largest scores, in falling order; ties to the lower index; NaN and -inf never. */
export function chooseIds(scores: ArrayLike<number>, count: number): readonly number[] {
  return Array.from(scores, (_, i) => i)
    .filter((i) => scores[i]! > -Infinity)
    .sort((a, b) => scores[b]! - scores[a]! || a - b)
    .slice(0, count);
}

export function makeRouting(
  picks: ArrayLike<number>,
  tokens: number,
  picksPerToken: number,
  groups: number,
  bound: number,
): Routing {
  const source: number[] = [];
  const group: number[] = [];
  const offsets: number[] = [];
  const slot = new Array<number>(tokens * picksPerToken).fill(-1);
  for (let wanted = 0; wanted < groups; wanted++) {
    offsets.push(source.length);
    for (let pick = 0; pick < slot.length; pick++)
      if (picks[pick] === wanted) {
        slot[pick] = source.length;
        source.push(pick);
        group.push(wanted);
      }
  }
  offsets.push(source.length);
  if (source.length > bound)
    throw new Error(`internal: a routing made ${source.length} rows, bound ${bound}`);
  return { rows: source.length, groups, tokens, picksPerToken, offsets, source, group, slot };
}
