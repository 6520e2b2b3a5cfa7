// The claims, in the order of the page. Each area has a file of its own.

import type { Claim } from "./claim.ts";
import { arithmeticClaims } from "./list-arithmetic.ts";
import { balanceClaims } from "./list-balance.ts";
import { chainClaims } from "./list-chains.ts";
import { choiceClaims } from "./list-choice.ts";
import { documentClaims } from "./list-documents.ts";
import { layerClaims } from "./list-layers.ts";
import { poolClaims } from "./list-pools.ts";
import { scoreClaims } from "./list-scores.ts";
import { tableClaims } from "./list-tables.ts";

export const claims: readonly Claim[] = [
  ...choiceClaims,
  ...scoreClaims,
  ...balanceClaims,
  ...layerClaims,
  ...chainClaims,
  ...documentClaims,
  ...poolClaims,
  ...tableClaims,
  ...arithmeticClaims,
];
