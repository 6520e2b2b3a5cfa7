// Builds dist/: the command, the library, the runtime alone and the prettier plugin, each one file; then the type declarations.
import { build } from "esbuild";
import { execFileSync } from "node:child_process";
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { stdlibSources } from "./stdlib.mjs";

writeFileSync("stdlib/sources.ts", stdlibSources());
rmSync("dist", { recursive: true, force: true });
const common = {
  bundle: true,
  format: "esm",
  target: "es2022",
  packages: "external",
  sourcemap: false,
  legalComments: "none",
  logLevel: "warning",
};
await Promise.all([
  build({
    ...common,
    platform: "node",
    entryPoints: { cli: "cli/main.ts" },
    outdir: "dist",
    banner: { js: "#!/usr/bin/env node" },
  }),
  build({
    ...common,
    platform: "neutral",
    external: ["node:*"],
    entryPoints: { index: "index.ts", runtime: "runtime/index.ts", prettier: "grammar/prettier.ts" },
    outdir: "dist",
  }),
]);
chmodSync("dist/cli.js", 0o755);
if (!process.argv.includes("--no-types"))
  execFileSync(
    process.execPath,
    ["node_modules/typescript/bin/tsc", "-p", "tsconfig.build.json"],
    { stdio: "inherit" },
  );
