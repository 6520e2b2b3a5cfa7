// A process that trains the hand-written regression into the folder of its first argument, resuming if there is something to
// resume; slowly, so that a test can kill it at any moment. Prints `done` at the end.

import { existsSync } from "node:fs";
import { checkpointPath } from "../../runtime/checkpoint-file.ts";
import type { Batches } from "../../runtime/data/data.ts";
import { threefry, uniform } from "../../runtime/random.ts";
import { openSession } from "../../runtime/session.ts";
import { trainInFolder } from "../../runtime/train-folder.ts";
import { regression, width } from "./hand-written.ts";

const [folder = "", milliseconds = "0"] = process.argv.slice(2);
const pause = new Int32Array(new SharedArrayBuffer(4));
const rows = (seed: number): Batches => ({
  examples: 400,
  batches: 4,
  batch: (index) => {
    Atomics.wait(pause, 0, 0, Number(milliseconds));
    const x = Float32Array.from(
      { length: 8 * width },
      (_, n) => uniform(threefry(seed, index, n, 0)[0]) - 0.5,
    );
    return { x, y: x.slice(0, 8) };
  },
});

const { program, wasm } = regression({ steps: 60, checkpointEvery: 4, evaluateEvery: 6 });
const session = await openSession(program, wasm, { seed: 1, threads: 2 });
const held = rows(2);
const data = {
  train: rows(1),
  held,
  tokenizers: {},
  labels: {},
  fingerprint: "rows",
  summary: [],
  close: () => {},
};
const result = await trainInFolder(session, data, folder, {
  resume: existsSync(checkpointPath(folder, "last")),
});
if (result.reason === "finished") console.log("done");
