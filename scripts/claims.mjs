// Bundles the claims' machinery and runs it: npm run claims, npm run claims -- null-experts, npm run claims -- --list.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { build } from "esbuild";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const outfile = `node_modules/.cache/claims/main-${process.pid}.mjs`;
await build({
  entryPoints: ["claims/main.ts"],
  outfile,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "es2022",
  packages: "external",
  logLevel: "warning",
});
// A file of its own for each run: workers start from it while another run may be bundled.
const { status } = spawnSync(process.execPath, [outfile, ...process.argv.slice(2)], { stdio: "inherit" });
rmSync(outfile, { force: true });
process.exitCode = status ?? 1;
