// Every small program in the kernels of a GPU (a to h; the others: gpu-programs-more.test.ts): they compute what the graph says, without
// races, within bounds and limits.

import { readdirSync } from "node:fs";
import { test } from "vitest";
import { expectProgram } from "./helpers/gpu-programs.ts";

const programs = readdirSync(new URL("./programs/", import.meta.url))
  .filter((name) => /^[^i-z].*\.moe$/.test(name))
  .sort();

test.each(programs)("%s", expectProgram);
