// ONNX Runtime web (WebAssembly, two threads) in Node as a peer. In: a folder with the exchange and model.onnx, then one JSON
// object a line. Out: one JSON object a line.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import * as ort from "onnxruntime-web";
import { exchange } from "./exchange_read.mjs";

const folder = process.argv[2];
ort.env.wasm.numThreads = 2;
ort.env.logLevel = "error";
const arrays = exchange(
  JSON.parse(readFileSync(`${folder}/manifest.json`, "utf8")),
  readFileSync(`${folder}/data.bin`),
);
const x = arrays.get("layer.x");
const expected = arrays.get("layer.logits").values;
const session = await ort.InferenceSession.create(readFileSync(`${folder}/model.onnx`), {
  executionProviders: ["wasm"],
  graphOptimizationLevel: "all",
});
const feeds = { x: new ort.Tensor("float32", x.values, x.shape) };
const reply = (value) => console.log(JSON.stringify(value));

const { version } = JSON.parse(
  readFileSync(new URL("node_modules/onnxruntime-web/package.json", import.meta.url), "utf8"),
);
reply({ version, threads: ort.env.wasm.numThreads });
for await (const line of createInterface({ input: process.stdin })) {
  const { do: what, runs } = JSON.parse(line);
  if (what === "check") {
    const { y } = await session.run(feeds);
    const largest = expected.reduce((most, each) => Math.max(most, Math.abs(each)), 0);
    const away = y.data.reduce((most, each, i) => Math.max(most, Math.abs(each - expected[i])), 0);
    reply({ difference: away / largest });
    continue;
  }
  let best = Infinity;
  for (let i = 0; i < runs; i++) {
    const start = performance.now();
    await session.run(feeds);
    best = Math.min(best, (performance.now() - start) / 1000);
  }
  reply({ seconds: best });
}
process.exit(0);
