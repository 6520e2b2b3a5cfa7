// Bundles entry points of the package with esbuild. Code that several of them use becomes a chunk that they share, so that an
// error of one is an instance of the class that another exports. Packages stay imports, but for papaparse (the runtime has no
// dependency at all) and chevrotain, whose hundreds of files take longer to open than most models take to compile. `import()`
// stays lazy: a page that only runs a model never loads the readers of data.
import { build } from "esbuild";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** By the name of the file in dist/. */
export const entryPoints = {
  cli: "cli/main.ts",
  index: "index.ts",
  runtime: "runtime/index.ts",
  "runtime-node": "runtime/node.ts",
  prettier: "grammar/prettier.ts",
  "language-server": "editor/server/main.ts",
  vite: "bundler/vite.ts",
  rollup: "bundler/rollup.ts",
  rolldown: "bundler/rolldown.ts",
  webpack: "bundler/webpack.ts",
  rspack: "bundler/rspack.ts",
  esbuild: "bundler/esbuild.ts",
};

const inlined = new Set(["papaparse", "chevrotain"]);
const ofPackage = /node_modules\/((?:@[^/]+\/)?[^/]+)\//;

/** Gives esbuild's list of what went into which file. */
export async function bundle(names, outdir) {
  const { metafile } = await build({
    bundle: true,
    splitting: true,
    format: "esm",
    target: "es2022",
    platform: "node",
    entryPoints: Object.fromEntries(names.map((name) => [name, entryPoints[name]])),
    chunkNames: "chunks/[name]-[hash]",
    outdir,
    metafile: true,
    sourcemap: false,
    legalComments: "none",
    logLevel: "warning",
    // papaparse then leaves out what asks for Node's streams.
    define: { PAPA_BROWSER_CONTEXT: "true" },
    plugins: [
      {
        name: "packages",
        setup(plugin) {
          plugin.onResolve({ filter: /^[^./]/ }, ({ path, kind, importer }) =>
            kind === "entry-point" || inlined.has(path) || ofPackage.test(importer)
              ? undefined
              : { path, external: true },
          );
        },
      },
    ],
  });
  return metafile;
}

/** Files that a bundled entry loads at once (not through `import()`), itself first. */
export function loadedBy(metafile, output) {
  const found = new Set();
  const visit = (path) => {
    if (found.has(path)) return;
    found.add(path);
    for (const each of metafile.outputs[path].imports)
      if (!each.external && each.kind === "import-statement") visit(each.path);
  };
  visit(output);
  return [...found];
}

/** The licences of the packages whose code went into the files, as one text. */
export function licencesIn(metafile) {
  const packages = Object.keys(metafile.inputs).flatMap((path) => ofPackage.exec(path)?.[1] ?? []);
  return [...new Set(packages)]
    .sort()
    .map((name) => {
      const folder = join("node_modules", name);
      const { version } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
      const file = ["LICENSE", "LICENSE.txt", "LICENSE.md"].find((each) => existsSync(join(folder, each)));
      if (file === undefined) throw new Error(`${name} is bundled and has no licence`);
      return `${name} ${version}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
    })
    .join(`\n${"-".repeat(80)}\n\n`);
}
