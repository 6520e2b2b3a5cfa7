// Runs the claims: npm run claims, npm run claims -- null-experts, npm run claims -- --list.
import { fileURLToPath } from "node:url";
import { runBundled } from "./run-bundled.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
process.exitCode = await runBundled("claims/main.ts", process.argv.slice(2));
