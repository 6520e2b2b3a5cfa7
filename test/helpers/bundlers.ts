// A small app that imports a `.moe` file, built by each bundler with the plug-in. In: the app's folder and the plug-in's options.
// Out: the folder with the output, whose `main.js` runs in Node. Mistakes in the model are thrown as the bundler throws them.

import { join } from "node:path";
import { rspack } from "@rspack/core";
import * as esbuild from "esbuild";
import { rolldown } from "rolldown";
import { rollup, type Plugin } from "rollup";
import * as vite from "vite";
import webpack from "webpack";
import type { MoeOptions } from "../../bundler/options.ts";
import { plugin } from "../../bundler/plugin.ts";

type Builder = (app: string, out: string, options: MoeOptions) => Promise<unknown>;

const entry = (app: string): string => join(app, "src/main.js");

/** Rollup resolves no packages by itself. */
const packages = (app: string): Plugin => ({
  name: "packages",
  resolveId: (id) =>
    id === "moelang/runtime" ? join(app, "node_modules/moelang/dist/runtime.js") : undefined,
});

interface Stats {
  hasErrors(): boolean;
  toString(options: object): string;
}
/** For a compiler of webpack's kind, with its callback. */
const compiled = (start: (done: (error: Error | null, stats?: Stats) => void) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    start((error, stats) => {
      if (error !== null) return reject(error);
      if (stats!.hasErrors()) return reject(new Error(stats!.toString({ all: false, errors: true })));
      resolve();
    });
  });

const webpackLike = (app: string, out: string) =>
  ({
    mode: "production",
    target: "node20",
    context: app,
    entry: entry(app),
    output: {
      path: out,
      filename: "main.js",
      module: true,
      chunkFormat: "module",
      library: { type: "module" },
    },
    performance: { hints: false },
    optimization: { minimize: false },
  }) as const;

export const builders: Readonly<Record<string, Builder>> = {
  rollup: async (app, out, options) => {
    const bundle = await rollup({
      input: entry(app),
      plugins: [packages(app), plugin.rollup(options)],
      logLevel: "silent",
    });
    await bundle.write({ dir: out, format: "es" });
  },
  rolldown: async (app, out, options) => {
    const bundle = await rolldown({
      ...{ input: entry(app), platform: "node", logLevel: "silent" },
      plugins: [plugin.rolldown(options)],
    });
    await bundle.write({ dir: out, format: "es" });
  },
  esbuild: (app, out, options) =>
    esbuild.build({
      ...{ entryPoints: [entry(app)], outdir: out, bundle: true, format: "esm", platform: "node" },
      ...{ absWorkingDir: app, logLevel: "silent", plugins: [plugin.esbuild(options)] },
    }),
  // For a server: the output runs in Node.
  vite: (app, out, options) =>
    vite.build({
      ...{ root: app, configFile: false, logLevel: "silent", plugins: [plugin.vite(options)] },
      ...{ build: { ssr: entry(app), outDir: out, target: "es2022" }, ssr: { noExternal: true } },
    }),
  webpack: (app, out, options) =>
    compiled((done) =>
      webpack(
        {
          ...webpackLike(app, out),
          experiments: { outputModule: true },
          plugins: [plugin.webpack(options)],
        },
        done,
      ),
    ),
  rspack: (app, out, options) =>
    compiled((done) => rspack({ ...webpackLike(app, out), plugins: [plugin.rspack(options)] }, done)),
};
