// `import model from "./small.moe"` through the plug-in: real builds by every bundler, whose output trains in Node; its types, read by
// TypeScript; mistakes as each bundler's own errors. Hot update in a page is in bundler-page.test.ts.

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { rollup } from "rollup";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { plugin } from "../bundler/plugin.ts";
import { builders } from "./helpers/bundlers.ts";
import { compileProject, installRuntime, temporaryFolder } from "./helpers/package.ts";

const app = temporaryFolder("bundler");
afterAll(() => rmSync(app, { recursive: true, force: true }));

const model = `import "./parts.moe" { Pool }

/// Flowers by four numbers.
model Flowers {
  /// Lengths and widths.
  modality leaf = features(4)
  modality kind = category(3)
  param head: [4, 3]
  logits = Pool(4)(leaf) @ head
  loss cross_entropy(logits, kind)
}

train Flowers {
  data leaf = csv("flowers.csv", "a", "b", "c", "d")
  data kind = csv("flowers.csv", "kind")
  batch 2
  steps 10
  optimizer adamw { rate = 1e-2 }
}
`;
const parts = `import std.experts { SwiGLU }
import std.routers { TopK }

moe Pool(D)(x: [D]) -> [D] {
  routed SwiGLU(D, 8) * 4
  router TopK { k = 2 }
}
`;
const main = `import flowers, { tensor } from "./flowers.moe";

const model = await flowers.load({ seed: 3, threads: 1 });
const batch = { leaf: [[1, 2, 3, 4], [4, 3, 2, 1]], kind: [0, 2] };
const losses = [];
for (let step = 0; step < 3; step++) losses.push((await model.trainStep(batch)).loss);
const { logits } = await model.forward({ leaf: tensor([1, 4], Float32Array.of(1, 0, 0, 1)) });
console.log(JSON.stringify({ name: flowers.name, losses, logits: Array.from(logits.values) }));
model.dispose();
`;

const write = (path: string, text: string): void => writeFileSync(join(app, path), text);

beforeAll(async () => {
  mkdirSync(join(app, "src"));
  await installRuntime(app);
  write("package.json", '{ "type": "module" }');
  write("src/flowers.moe", model);
  write("src/parts.moe", parts);
  write("src/main.js", main);
}, 60_000);

const run = (out: string): unknown =>
  JSON.parse(execFileSync(process.execPath, [join(out, "main.js")], { cwd: app, encoding: "utf8" }));
const filesIn = (out: string): string[] => readdirSync(out, { recursive: true, encoding: "utf8" }).sort();
/** Words of the compiler that no app should carry. */
const ofTheCompiler = /chevrotain|M0605|std\.experts|expected an expression/i;

describe.each(Object.keys(builders))("%s", (name) => {
  test.each(["files", "inline"] as const)(
    "builds an app that trains, kernels as %s",
    async (kernels) => {
      const out = join(app, "out", name, kernels);
      await builders[name]!(app, out, { kernels });
      const result = run(out) as { name: string; losses: number[]; logits: number[] };
      expect(result.name).toBe("Flowers");
      expect(result.losses[2]).toBeLessThan(result.losses[0]!);
      expect(result.logits).toHaveLength(3);
      const scripts = filesIn(out).filter((file) => /\.m?js$/.test(file));
      for (const file of scripts) expect(readFileSync(join(out, file), "utf8")).not.toMatch(ofTheCompiler);
      const kernelFiles = filesIn(out).filter((file) => file.endsWith(".wasm"));
      // Vite emits no files for servers.
      expect(kernelFiles).toHaveLength(kernels === "inline" || name === "vite" ? 0 : 2);
    },
    60_000,
  );

  test("a mistake in an imported module is an error with its place", async () => {
    write("src/parts.moe", parts.replace("k = 2", "k = 9"));
    try {
      const failed = await builders[name]!(app, join(app, "out/wrong"), {}).then(
        () => undefined,
        (error: unknown) => error as Error & { loc?: unknown; id?: string; frame?: string },
      );
      expect(failed?.message).toMatch(/9/);
      const told = JSON.stringify([failed!.message, failed!.loc, failed!.id, failed!.frame]);
      expect(told).toContain("parts.moe");
      expect(told).toContain("TopK { k = 9 }");
      expect(failed!.message).not.toMatch(/^\s+at .*\.ts:/m);
    } finally {
      write("src/parts.moe", parts);
    }
  });
});

describe("types", () => {
  const typesOf = "src/flowers.d.moe.ts";
  const build = (types: "beside" | false | { folder: string }): Promise<unknown> =>
    builders["esbuild"]!(app, join(app, "out/types"), { types });

  test("are those of this very file", async () => {
    rmSync(join(app, typesOf), { force: true });
    await build("beside");
    write(
      "tsconfig.json",
      JSON.stringify({
        compilerOptions: {
          ...{ target: "ES2022", module: "ESNext", moduleResolution: "Bundler", strict: true, noEmit: true },
          ...{ lib: ["ES2023", "DOM"], types: [], allowArbitraryExtensions: true },
        },
        include: ["src/*.ts"],
      }),
    );
    write(
      "src/typed.ts",
      `import flowers from "./flowers.moe";
const model = await flowers.load();
const { loss } = await model.trainStep({ leaf: [[1, 2, 3, 4]], kind: [1] });
export const right: number = loss;
export const wrong = await model.forward({ leaf: [[1, 2, 3]] });
`,
    );
    expect(compileProject(app).map((line) => line.replace(/ (Type|Source).*/, ""))).toEqual([
      "src/typed.ts:5 TS2322",
    ]);
    rmSync(join(app, "src/typed.ts"));
  });

  test("go where they are asked to, or nowhere", async () => {
    rmSync(join(app, typesOf), { force: true });
    await build(false);
    expect(existsSync(join(app, typesOf))).toBe(false);
    await build({ folder: "made" });
    expect(existsSync(join(app, typesOf))).toBe(false);
    expect(filesIn(join(app, "made"))).toEqual(["src", typesOf]);
  });

  test("never overwrite what somebody else wrote", async () => {
    write(typesOf, "export default 1;\n");
    await expect(build("beside")).rejects.toThrow(/is there already, and moelang did not make it/);
    expect(readFileSync(join(app, typesOf), "utf8")).toBe("export default 1;\n");
    rmSync(join(app, typesOf));
  });
});

test("a runtime of another version says so", async () => {
  const [runtime, theirs] = [join(app, "node_modules/moelang/dist"), join(app, "ours")];
  cpSync(runtime, theirs, { recursive: true });
  try {
    let changed = 0;
    for (const file of filesIn(runtime).filter((each) => each.endsWith(".js"))) {
      const text = readFileSync(join(runtime, file), "utf8");
      const other = text.replace(/programVersion = \d+/, "programVersion = 99");
      if (other !== text) changed++;
      writeFileSync(join(runtime, file), other);
    }
    expect(changed).toBe(1);
    const out = join(app, "out/versions");
    await builders["esbuild"]!(app, out, {});
    expect(() => run(out)).toThrow(/program-\w+\.json is not a program of this version of moe/);
  } finally {
    cpSync(theirs, runtime, { recursive: true });
  }
});

test("one plug-in compiles again what was saved since, and only that", async () => {
  const moe = plugin.rollup({ types: false, kernels: "inline" });
  const build = async (): Promise<string> => {
    const bundle = await rollup({
      input: join(app, "src/flowers.moe"),
      external: /^moelang/,
      plugins: [moe],
    });
    return (await bundle.generate({ format: "es" })).output[0].code;
  };
  const first = await build();
  expect(await build()).toBe(first);
  write("src/parts.moe", parts.replace("* 4", "* 5"));
  try {
    expect(await build()).not.toBe(first);
  } finally {
    write("src/parts.moe", parts);
  }
  expect(await build()).toBe(first);
});

test("a file that is no text is one clear error", async () => {
  writeFileSync(join(app, "src/flowers.moe"), Uint8Array.of(0, 255, 254, 0, 1));
  try {
    await expect(builders["rollup"]!(app, join(app, "out/binary"), {})).rejects.toThrow(
      /C01\d\d: .*flowers\.moe/,
    );
  } finally {
    write("src/flowers.moe", model);
  }
});
