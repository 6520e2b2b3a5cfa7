// Builds the documentation as a site: npm run docs, npm run docs -- --no-serve.
import { fileURLToPath } from "node:url";
import { runBundled } from "./run-bundled.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
process.exitCode = await runBundled("site/main.ts", process.argv.slice(2));
