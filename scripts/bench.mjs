// Runs the bench: npm run bench, npm run bench -- layer, npm run bench -- --json.
import { fileURLToPath } from "node:url";
import { runBundled } from "./run-bundled.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
process.exitCode = await runBundled("bench/main.ts", process.argv.slice(2));
