// Rules that keep sums off large tiles. The gradient of a softmax subtracts, from each row of the tile, the sum of shares times
// their gradients; where the gradients are products with the rows that were mixed, that sum is the product of the mixture
// with its own gradient: a few numbers for each row instead of one for each pair of rows.

import { elementsLong } from "./stream-length.ts";
import { rowDot, type SharedRule } from "./simplify-shared.ts";

export const tileRules: readonly SharedRule[] = [
  // sum_j p[m, j] (sum_c d[m, c] v[j, c]) = sum_c d[m, c] (sum_j p[m, j] v[j, c]), when the mixture on the right is there and
  // smaller: on the way back it would be larger, so this ends.
  rowDot(
    "row dot of a tile",
    (_, inner, found) =>
      inner.ragged === undefined && found.id < inner.id && elementsLong(found) < elementsLong(inner),
  ),
];
