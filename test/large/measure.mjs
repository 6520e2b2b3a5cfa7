// Bundles the compiler, checks and plans (or compiles) a module in a process of its own, and prints what that took as one
// line of JSON. `reference` is what a fixed piece of work takes here and now: it says how fast the machine is at the moment.
// node measure.mjs <plan | compile> <file.moe>

import { build } from "esbuild";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Seconds of the processor that texts put into a table and numbers added take. */
function reference() {
  const before = process.cpuUsage();
  const table = new Map();
  for (let i = 0; i < 500_000; i++) table.set(`key ${(i * 7919) % 1_000_003}`, i);
  let sum = table.size;
  for (let i = 0; i < 3e8; i++) sum = (sum + i) | 0;
  const { user, system } = process.cpuUsage(before);
  return sum === 0.5 ? 0 : (user + system) / 1e6;
}

/** Seconds that this thread has run, where the system tells; the engine's other threads translate and collect beside it. */
const threadSeconds = () => {
  const stat = `/proc/self/task/${process.pid}/schedstat`;
  return existsSync(stat) ? Number(readFileSync(stat, "utf8").split(" ")[0]) / 1e9 : undefined;
};

async function measure(what, file, compiler) {
  const { planModel, compile, stdlib } = await import(pathToFileURL(compiler).href);
  const read = (path) => stdlib[path] ?? (existsSync(path) ? readFileSync(path, "utf8") : undefined);
  const before = process.cpuUsage();
  const threadBefore = threadSeconds();
  const started = performance.now();
  const request = { host: { read }, path: file };
  const { planned, compiled, diagnostics } = what === "plan" ? planModel(request) : compile(request);
  const seconds = (performance.now() - started) / 1000;
  const threadAfter = threadSeconds();
  const { user, system } = process.cpuUsage(before);
  const megabytes = process.resourceUsage().maxRSS / 1024;
  const done = planned ?? compiled;
  const { tensors = [], entries = {} } = done?.program ?? {};
  const count = (shape) => shape.reduce((a, b) => a * b, 1);
  return {
    seconds,
    cpuSeconds: threadBefore === undefined ? (user + system) / 1e6 : threadAfter - threadBefore,
    reference: reference(),
    megabytes,
    parameters: tensors
      .filter(({ role }) => role === "parameter")
      .reduce((sum, { shape }) => sum + count(shape), 0),
    kernels: done?.kernels.length ?? 0,
    dispatches: Object.fromEntries(
      Object.entries(entries).map(([name, { dispatches }]) => [name, dispatches.length]),
    ),
    diagnostics: diagnostics.map(({ code, message }) => `${code} ${message}`),
  };
}

/** The compiler as the package ships it, one file of JavaScript: translating it is no part of the time. */
async function bundled(what, file) {
  const root = fileURLToPath(new URL("../..", import.meta.url));
  const folder = mkdtempSync(`${root}node_modules/.large-`);
  try {
    const outfile = `${folder}/compiler.mjs`;
    const contents =
      'export { compile, planModel } from "./compiler/compile.ts"; export { stdlib } from "./stdlib/sources.ts";';
    await build({
      stdin: { contents, resolveDir: root, loader: "ts" },
      bundle: true,
      platform: "node",
      format: "esm",
      packages: "external",
      outfile,
      logLevel: "error",
    });
    const child = [fileURLToPath(import.meta.url), what, file, outfile];
    return spawnSync(process.execPath, child, { encoding: "utf8" });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const [what, file, compiler] = process.argv.slice(2);
if (compiler !== undefined) console.log(JSON.stringify(await measure(what, file, compiler)));
else {
  const { stdout, stderr, status } = await bundled(what, file);
  process.stderr.write(stderr);
  process.stdout.write(stdout);
  process.exitCode = status ?? 1;
}
