// Bundles the compiler, checks and plans a module in this process, and prints what it took as one line of JSON.
// node measure.mjs <file.moe>

import { build } from "esbuild";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

const [file, bundle] = process.argv.slice(2);
if (bundle === undefined) {
  // The compiler as the package ships it: one file of JavaScript, so that reading it is no part of the time.
  const folder = mkdtempSync(join(fileURLToPath(new URL("../../node_modules", import.meta.url)), ".large-"));
  const out = join(folder, "compiler.mjs");
  try {
    const root = fileURLToPath(new URL("../..", import.meta.url));
    const contents = 'export { planModel } from "./compiler/compile.ts"; export { stdlib } from "./stdlib/sources.ts";';
    await build({ stdin: { contents, resolveDir: root, loader: "ts" }, bundle: true, platform: "node", format: "esm", packages: "external", outfile: out, logLevel: "error" });
    const { spawnSync } = await import("node:child_process");
    const { stdout, stderr, status } = spawnSync(process.execPath, [fileURLToPath(import.meta.url), file, out], { encoding: "utf8" });
    process.stderr.write(stderr);
    process.stdout.write(stdout);
    process.exitCode = status ?? 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
} else {
  const { planModel, stdlib } = await import(pathToFileURL(bundle).href);
  const cpu = process.cpuUsage();
  const started = performance.now();
  const { planned, diagnostics } = planModel({ host: { read: (path) => stdlib[path] ?? (path === file ? readFileSync(file, "utf8") : undefined) }, path: file });
  const seconds = (performance.now() - started) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const parameters = (planned?.program.tensors ?? []).filter(({ role }) => role === "parameter").reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  console.log(
    JSON.stringify({
      seconds,
      cpuSeconds: (user + system) / 1e6,
      megabytes: process.resourceUsage().maxRSS / 1024,
      parameters,
      kernels: planned?.kernels.length ?? 0,
      dispatches: Object.fromEntries(Object.entries(planned?.program.entries ?? {}).map(([name, entry]) => [name, entry.dispatches.length])),
      diagnostics: diagnostics.map(({ code, message }) => `${code} ${message}`),
    }),
  );
}
