// Rules that keep sums off large tiles. The gradient of a softmax subtracts, from each row of the tile, the sum of shares times
// their gradients; where the gradients are products with the rows that were mixed, that sum is the product of the mixture
// with its own gradient: a few numbers for each row instead of one for each pair of rows.

import { elementsLong } from "./stream-length.ts";
import type { SharedRule } from "./simplify-shared.ts";
import { turnRowDot } from "./simplify-shared.ts";

export const tileRules: readonly SharedRule[] = [
  {
    // sum_j p[m, j] (sum_c d[m, c] v[j, c]) = sum_c d[m, c] (sum_j p[m, j] v[j, c]), when the mixture on the right is there and
    // smaller: on the way back it would be larger, so this ends.
    name: "row dot of a tile",
    apply: (b, node, around, of) => {
      if (node.op !== "reduce" || node.fn !== "sum" || node.groups) return undefined;
      if (node.input.op !== "map" || node.input.fn !== "mul") return undefined;
      return turnRowDot(
        b,
        node.input,
        node.axes,
        around,
        of,
        (_, inner, found) =>
          inner.ragged === undefined && found.id < inner.id && elementsLong(found) < elementsLong(inner),
      );
    },
  },
];
