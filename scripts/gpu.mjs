// npm run gpu:check, gpu:bench: on the GPU of this machine. npm run gpu:pack: an archive with which both run on another.
// What they do is in bench/gpu/; this bundles it and runs it.
import { spawnSync } from "node:child_process";
import { build } from "esbuild";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const outfile = "node_modules/.cache/gpu/tool.mjs";
await build({
  entryPoints: ["bench/gpu/tool.ts"],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "es2022",
  packages: "external",
  logLevel: "warning",
});
const { status } = spawnSync(process.execPath, [outfile, ...process.argv.slice(2)], { stdio: "inherit" });
process.exitCode = status ?? 1;
