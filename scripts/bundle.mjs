// Bundles entry points of the package with esbuild. Code that several of them use becomes a chunk that they share, so that an
// error of one is an instance of the class that another exports. Packages stay imports, but for papaparse: the runtime has no
// dependency at all. `import()` stays lazy: a page that only runs a model never loads the readers of data.
import { build } from "esbuild";

/** By the name of the file in dist/. */
export const entryPoints = {
  cli: "cli/main.ts",
  index: "index.ts",
  runtime: "runtime/index.ts",
  "runtime-node": "runtime/node.ts",
  prettier: "grammar/prettier.ts",
  "language-server": "editor/server/main.ts",
};

const inlined = "papaparse";

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
          plugin.onResolve({ filter: /^[^./]/ }, ({ path, kind }) =>
            kind === "entry-point" || path === inlined ? undefined : { path, external: true },
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
