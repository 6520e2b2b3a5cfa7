// A process that runs the tiny claim in a folder, slowly enough to be killed in between.

import { setTimeout } from "node:timers/promises";
import { doJob, runClaims } from "../../claims/run.ts";
import { tinyClaim } from "./claims.ts";

const folder = process.argv[2]!;
await runClaims([tinyClaim], {
  folder,
  jobs: 1,
  execute: async (job) => {
    const measured = await doJob(folder, tinyClaim, job);
    await setTimeout(200);
    return measured;
  },
  say: (line) => console.log(line),
});
