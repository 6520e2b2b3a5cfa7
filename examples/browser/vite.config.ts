import moe from "moelang/vite";
import { defineConfig } from "vite";

// With these headers a page may share memory with its workers, and the model runs on several threads.
const headers = {
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cross-Origin-Embedder-Policy": "require-corp",
};

export default defineConfig({
  // `import story from "../story.moe"`, with kernels for GPUs beside those for CPUs.
  plugins: [moe({ targets: ["webgpu"] })],
  // The files may lie anywhere on a server.
  base: "./",
  // The novel is the book example's.
  server: { headers, fs: { allow: ["..", "../../.."] } },
  preview: { headers },
  // An inlined wasm module could not be compiled while it loads.
  build: { target: "es2022", assetsInlineLimit: 0 },
  worker: { format: "es" },
});
