// The package's entry points: what each brings along. A page that runs a model must not load a compiler, nor any package.
import { existsSync, readFileSync, rmSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { bundle, entryPoints, loadedBy } from "../scripts/bundle.mjs";
import { writeBuilt } from "./helpers/built.ts";
import { regression } from "./helpers/hand-written.ts";
import { temporaryFolder } from "./helpers/package.ts";

const root = resolve(import.meta.dirname, "..");
const folder = temporaryFolder("package");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Outputs = Awaited<ReturnType<typeof bundle>>;
let metafile: Outputs;
beforeAll(async () => {
  metafile = await bundle(["index", "runtime", "runtime-node", "prettier"], folder);
}, 60_000);

const output = (name: string): string =>
  Object.keys(metafile.outputs).find((path) => resolve(path) === join(folder, name))!;
/** Source files in what an entry loads, by top-level folder (or package); `later` also counts what it loads when asked to. */
function contents(name: string, later: boolean): Set<string> {
  const files = later ? reachable(output(name)) : loadedBy(metafile, output(name));
  return new Set(
    files
      .flatMap((file) => Object.keys(metafile.outputs[file]!.inputs))
      .map((path) => relative(root, resolve(path)).split("/")[0]!),
  );
}
function reachable(path: string, found = new Set<string>()): string[] {
  if (!found.has(path)) {
    found.add(path);
    for (const each of metafile.outputs[path]!.imports) if (!each.external) reachable(each.path, found);
  }
  return [...found];
}
const externals = (files: readonly string[]): string[] => [
  ...new Set(
    files.flatMap((file) =>
      metafile.outputs[file]!.imports.flatMap(({ path, external }) => (external === true ? [path] : [])),
    ),
  ),
];

describe("the package", () => {
  test("the runtime holds nothing of the compiler, and at start no reader of data", () => {
    expect([...contents("runtime.js", false)]).toEqual(["runtime"]);
    expect([...contents("runtime.js", true)].sort()).toEqual(["node_modules", "runtime"]);
    const packages = reachable(output("runtime.js"))
      .flatMap((file) => Object.keys(metafile.outputs[file]!.inputs))
      .filter((path) => path.includes("node_modules"));
    expect(packages.every((path) => path.includes("node_modules/papaparse/"))).toBe(true);
  });

  test("the runtime imports nothing: no package, and Node's modules only when it is in Node", () => {
    const files = loadedBy(metafile, output("runtime.js"));
    expect(externals(files)).toEqual([]);
    for (const file of files) expect(readFileSync(file, "utf8")).not.toMatch(/\bfrom\s*"(?!\.\.?\/)[\w@]/);
    const bytes = Buffer.concat(files.map((file) => readFileSync(file)));
    const gzipped = gzipSync(bytes).length;
    console.log(`runtime: ${(bytes.length / 1000).toFixed(1)} kB, ${(gzipped / 1000).toFixed(1)} kB gzipped`);
    expect(gzipped).toBeLessThan(50_000);
  });

  test("what needs Node is in an entry of its own, and shares the classes of the runtime", async () => {
    const files = loadedBy(metafile, output("runtime-node.js"));
    expect(externals(files).filter((path) => !path.startsWith("node:") && path !== "stream")).toEqual([]);
    const runtime = (await import(join(folder, "runtime.js"))) as {
      UserError: new (...args: never[]) => Error;
    };
    const node = (await import(join(folder, "runtime-node.js"))) as { readRunState(path: string): unknown };
    const index = (await import(join(folder, "index.js"))) as { UserError: unknown };
    expect(() => node.readRunState(join(folder, "none"))).toThrow(runtime.UserError);
    expect(index.UserError).toBe(runtime.UserError);
  });

  test("the library compiles, checks and formats", async () => {
    const { compile, check, format, parse, hostOf } = (await import(
      join(folder, "index.js")
    )) as typeof import("../index.ts");
    const line = "model Line {\n  modality x = features(2)\n  param w: [2]\n  logits = sum(x * w)\n}\n";
    const host = hostOf({ "line.moe": line });
    expect(check(host, "line.moe")).toEqual([]);
    expect(
      check(hostOf({ "line.moe": line.replace("x * w", "x * v") }), "line.moe").map(
        ({ severity }) => severity,
      ),
    ).toEqual(["error"]);
    expect(format(line.replace("  param", "      param")).text).toBe(line);
    expect(parse(line, "line.moe").diagnostics).toEqual([]);
    expect(Object.keys(compile({ host, path: "line.moe" }).compiled!.program.entries)).toEqual(["forward"]);
    expect(host.read("constructor")).toBeUndefined();
  });

  test("`exports` names what the build makes", () => {
    const { exports: places, bin } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      exports: Record<string, string | { types: string; default: string }>;
      bin: { moe: string };
    };
    const made = Object.keys(entryPoints).map((name) => `./dist/${name}.js`);
    const types = JSON.parse(readFileSync(join(root, "tsconfig.build.json"), "utf8")) as {
      include: string[];
    };
    const typed = types.include.map((path) => `./dist/types/${path.replace(/\.ts$/, ".d.ts")}`);
    for (const place of Object.values(places)) {
      if (typeof place === "string") continue;
      expect(made).toContain(place.default);
      expect(typed).toContain(place.types);
    }
    expect(made).toContain(bin.moe);
    for (const path of Object.values(entryPoints)) expect(existsSync(join(root, path)), path).toBe(true);
  });

  test("a bundler for pages takes a generated module", async () => {
    await writeBuilt(join(folder, "model"), regression());
    const { warnings, metafile: page } = await build({
      entryPoints: [join(folder, "model/regression.js")],
      alias: { "moelang/runtime": join(folder, "runtime.js") },
      bundle: true,
      minify: true,
      format: "esm",
      splitting: true,
      platform: "browser",
      outdir: join(folder, "page"),
      metafile: true,
      logLevel: "silent",
    });
    expect(warnings).toEqual([]);
    const main = Object.keys(page.outputs).find((path) => path.endsWith("page/regression.js"))!;
    const files = loadedBy(page, main);
    expect(files.flatMap((file) => page.outputs[file]!.imports).filter(({ external }) => external)).toEqual(
      [],
    );
    const gzipped = gzipSync(Buffer.concat(files.map((file) => readFileSync(file)))).length;
    console.log(
      `a page with a model: ${(gzipped / 1000).toFixed(1)} kB gzipped, without the model's own files`,
    );
    expect(gzipped).toBeLessThan(30_000);
  });
});
