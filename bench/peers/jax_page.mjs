// jax-js in a page as a peer: the same functions, called from outside. In: the exchange, served beside the page.
import * as jax from "@jax-js/jax";
import { exchange } from "./exchange_read.mjs";
import { jaxPeer } from "./jax_model.mjs";

globalThis.startPeer = async (capacity) => {
  await jax.init("wasm");
  jax.defaultDevice("wasm");
  const manifest = await (await fetch("/manifest.json")).json();
  const arrays = exchange(manifest, await (await fetch("/data.bin")).arrayBuffer());
  const peer = jaxPeer(jax, arrays, capacity);
  globalThis.askPeer = async ({ do: what, runs, form }) =>
    what === "check" ? peer.check(form) : { seconds: await peer.time(what, runs) };
  return { threads: globalThis.crossOriginIsolated ? navigator.hardwareConcurrency : 1 };
};
