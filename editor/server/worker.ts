// The worker: checks modules and computes costs beside the server, so that no key press waits for a compilation. In: jobs with the
// texts that are open in the editor; other modules come from the disk. Out: answers. Node only.

import { parentPort } from "node:worker_threads";
import type { Host } from "../../compiler/model.ts";
import { checkFor } from "../features/checked.ts";
import { costsOf } from "../features/costs.ts";
import { readModule } from "./files.ts";
import type { Answer, Job } from "./jobs.ts";

const port = parentPort;
if (port === null) throw new Error("internal: the worker was started as a program");

port.on("message", (job: Job) => {
  port.postMessage(answer(job));
});

function answer(job: Job): Answer {
  const host: Host = {
    read: (path) => (Object.hasOwn(job.texts, path) ? job.texts[path] : readModule(path)),
  };
  const { id } = job;
  try {
    switch (job.job) {
      case "check":
        return { id, checked: checkFor(host, job.path) };
      case "cost":
        return { id, cost: costsOf(host, job.path, job.of) };
      default:
        return job satisfies never;
    }
  } catch (error) {
    // Nothing that a user writes may end the worker: what a text brings about is told and gone.
    return { id, failed: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
}
