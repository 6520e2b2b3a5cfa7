// The catalogue: a page for every diagnostic of the language, with a program that raises it and the same program mended.
// Read by `moe explain` and by the tests, which run every program.

import { kindPages } from "./kinds.ts";
import { modulePages, namePages } from "./names.ts";
import type { Page } from "./page.ts";
import { routingPages } from "./routing.ts";
import { sizePages } from "./sizes.ts";
import { syntaxPages } from "./syntax.ts";
import { trainingPages } from "./training.ts";
import { typePages } from "./types.ts";

export const catalogue: readonly Page[] = [
  ...syntaxPages,
  ...namePages,
  ...kindPages,
  ...sizePages,
  ...typePages,
  ...routingPages,
  ...trainingPages,
  ...modulePages,
];
