// The command `moe`: arguments and streams of this process -> an exit code.

import { tuneEngine } from "./engine.ts";
import { main } from "./program.ts";
import { processShell } from "./shell.ts";

tuneEngine();
process.exitCode = await main(processShell(), process.argv.slice(2));
