// jax-js in Node as a peer. In: a folder with the exchange, then one JSON object a line. Out: one JSON object a line.
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import * as jax from "@jax-js/jax";
import { exchange } from "./exchange_read.mjs";
import { jaxPeer } from "./jax_model.mjs";

const [, , folder, capacity] = process.argv;
await jax.init("wasm");
jax.defaultDevice("wasm");
const arrays = exchange(
  JSON.parse(readFileSync(`${folder}/manifest.json`, "utf8")),
  readFileSync(`${folder}/data.bin`),
);
const peer = jaxPeer(jax, arrays, JSON.parse(capacity));
const reply = (value) => console.log(JSON.stringify(value));

const { version } = JSON.parse(
  readFileSync(new URL("node_modules/@jax-js/jax/package.json", import.meta.url), "utf8"),
);
reply({ version, threads: 1 });
for await (const line of createInterface({ input: process.stdin })) {
  const { do: what, runs, form } = JSON.parse(line);
  reply(what === "check" ? await peer.check(form) : { seconds: await peer.time(what, runs) });
}
process.exit(0);
