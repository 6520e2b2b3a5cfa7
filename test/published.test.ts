// The package as it is published: packed by npm, checked by publint and by "are the types wrong", installed into an empty project, and
// used there from JavaScript, from TypeScript, by the command and by a Vite app, whose output has a budget of bytes.
// Needs dist/ as `npm run build` makes it, which `npm test` does first.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compileProject, linkPackages, temporaryFolder } from "./helpers/package.ts";

const root = resolve(import.meta.dirname, "..");
const folder = temporaryFolder("published");
const app = join(folder, "app");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const npm = (at: string, ...args: string[]): string =>
  execFileSync("npm", args, { cwd: at, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });
const node = (...args: string[]): string =>
  execFileSync(process.execPath, args, { cwd: app, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

let tarball: string;
beforeAll(() => {
  expect(existsSync(join(root, "dist/cli.js")), "run `npm run build` first").toBe(true);
  const [packed] = JSON.parse(
    npm(root, "pack", "--json", "--ignore-scripts", "--pack-destination", folder),
  ) as { filename: string }[];
  tarball = join(folder, packed!.filename);
  mkdirSync(join(app, "src"), { recursive: true });
  writeFileSync(join(app, "package.json"), '{ "name": "app", "private": true, "type": "module" }');
  npm(app, "install", "--prefer-offline", "--no-audit", "--no-fund", "--ignore-scripts", tarball);
  linkPackages(app, ["vite"]);
  writeFileSync(
    join(app, "src/flowers.moe"),
    `import std.experts { SwiGLU }
import std.routers { TopK }

model Flowers {
  modality leaf = features(4)
  modality kind = category(3)
  pool = SwiGLU(4, 8) * 4
  param head: [4, 3]
  logits = pool(leaf) by TopK { k = 2 } @ head
  loss cross_entropy(logits, kind)
}

train Flowers {
  data leaf = csv("flowers.csv", "a", "b", "c", "d")
  data kind = csv("flowers.csv", "kind")
  batch 2
  steps 10
  optimizer adamw { rate = 1e-2 }
}
`,
  );
}, 300_000);

test("publint finds nothing", async () => {
  const { messages, pkg } = await publint({
    pack: { tarball: new Uint8Array(readFileSync(tarball)).buffer },
    strict: true,
  });
  expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
});

test("every entry has types that are right for those who import modules", async () => {
  const result = await checkPackage(createPackageFromTarballData(readFileSync(tarball)));
  expect(result.types).not.toBe(false);
  // There is no CommonJS: what asks for it is told so by Node.
  const esm = ("problems" in result ? result.problems : []).filter(
    (problem) => !("resolutionKind" in problem) || ["node16-esm", "bundler"].includes(problem.resolutionKind),
  );
  const told = esm.filter(
    (problem) =>
      !("entrypoint" in problem && ["./package.json", "./language-server"].includes(problem.entrypoint)),
  );
  expect(told).toEqual([]);
});

test("JavaScript and the command", () => {
  writeFileSync(
    join(app, "library.mjs"),
    `import { check, format } from "moelang";
import { openSession } from "moelang/runtime";
import * as node from "moelang/runtime/node";
import * as prettier from "moelang/prettier";
const found = check({ read: () => "model M {\\n  x\\n}" }, "m.moe");
console.log(JSON.stringify([found.map(({ code }) => code), typeof format, typeof openSession, Object.keys(node).length > 3, "languages" in prettier]));
`,
  );
  expect(JSON.parse(node("library.mjs"))).toEqual([["M0101"], "function", "function", true, true]);
  expect(node("node_modules/moelang/dist/cli.js", "check", "src/flowers.moe")).toContain("src/flowers.moe");
});

test("TypeScript, in a Vite app that only runs a model", { timeout: 120_000 }, () => {
  writeFileSync(
    join(app, "tsconfig.json"),
    JSON.stringify({
      compilerOptions: {
        ...{ target: "ES2022", module: "ESNext", moduleResolution: "Bundler", strict: true, noEmit: true },
        ...{ lib: ["ES2023", "DOM"], types: [], allowArbitraryExtensions: true },
      },
      include: ["src"],
    }),
  );
  writeFileSync(
    join(app, "src/main.ts"),
    `import flowers from "./flowers.moe";

const model = await flowers.load();
const { logits } = await model.forward({ leaf: [[1, 2, 3, 4]] });
document.title = String(logits.values[0]);
`,
  );
  writeFileSync(join(app, "index.html"), '<script type="module" src="/src/main.ts"></script>');
  const sizes: number[] = [];
  for (const targets of ["", '{ targets: ["webgpu"] }']) {
    writeFileSync(
      join(app, "vite.config.mjs"),
      `import moe from "moelang/vite";\nexport default { plugins: [moe(${targets})], build: { target: "es2022", assetsInlineLimit: 0 }, logLevel: "error" };\n`,
    );
    rmSync(join(app, "dist"), { recursive: true, force: true });
    node("node_modules/vite/bin/vite.js", "build");
    const scripts = readdirSync(join(app, "dist/assets")).filter((file) => file.endsWith(".js"));
    const text = (file: string): string => readFileSync(join(app, "dist/assets", file), "utf8");
    for (const file of scripts) expect(text(file)).not.toMatch(/chevrotain|std\.experts/);
    sizes.push(gzipSync(scripts.map(text).join("\n")).length);
  }
  expect(compileProject(app)).toEqual([]);
  const [cpu, gpu] = sizes;
  console.log(`the app's scripts, gzipped: ${cpu} bytes, ${gpu} with kernels for WebGPU`);
  expect(cpu).toBeLessThan(60_000);
  expect(gpu).toBeLessThan(100_000);
});
