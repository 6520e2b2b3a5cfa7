// A worker of the tiny claim, in the folder that the environment names. Seed 13 ends it without an answer.

import { work } from "../../claims/workers.ts";
import { tinyClaim } from "./claims.ts";

process.on("message", ({ seed }: { readonly seed: number }) => {
  if (seed === 13) process.exit(3);
});
work(process.env["MOE_CLAIMS"]!, [tinyClaim]);
