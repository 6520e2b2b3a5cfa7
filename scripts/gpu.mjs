// npm run gpu:check, gpu:bench: on the GPU of this machine. npm run gpu:pack: an archive with which both run on another.
// What they do is in bench/gpu/.
import { fileURLToPath } from "node:url";
import { runBundled } from "./run-bundled.mjs";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
process.exitCode = await runBundled("bench/gpu/tool.ts", process.argv.slice(2));
