// Runs a TypeScript program of this project: bundles it (packages stay imports) and starts Node on it. Gives its exit status.
// Every run has a folder of its own, so that two at once do not meet.
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { build } from "esbuild";

export async function runBundled(entryPoint, args) {
  const cache = resolve("node_modules/.cache/bundled");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, `${basename(entryPoint, ".ts")}-`));
  try {
    const outfile = join(folder, "program.mjs");
    await build({
      entryPoints: [entryPoint],
      outfile,
      bundle: true,
      platform: "node",
      format: "esm",
      target: "es2022",
      packages: "external",
      logLevel: "warning",
    });
    return spawnSync(process.execPath, [outfile, ...args], { stdio: "inherit" }).status ?? 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
