// `import model from "./small.moe"` in Vite, Rollup, Rolldown, webpack, Rspack and esbuild. In: the options. Out: a plug-in for
// each. It compiles the file, writes its types, tells the bundler which files to watch, and gives a module that loads the model;
// mistakes in the file become the bundler's own errors, with the place. The module imports the runtime and nothing of the compiler.

import { createUnplugin, type UnpluginInstance, type VitePlugin } from "unplugin";
import { UserError } from "../runtime/errors.ts";
import { readText } from "../cli/files.ts";
import { writeTypes } from "../cli/module/beside.ts";
import { moduleText, type Places } from "../cli/module/module.ts";
import { version } from "../cli/version.ts";
import { compileModule, type CompiledModule, type Outcome, type Trouble } from "./compile.ts";
import type { MoeOptions } from "./options.ts";
import { emitted, imported, inlined, onDisk } from "./places.ts";
import { elsewhere, typesFile } from "./types.ts";

const isModule = /\.moe$/;
/** Of files that esbuild copies. */
const namespace = "moelang-file";

/** What Rollup and its kin have beyond what all bundlers have; `environment` is Vite's. */
interface Context {
  emitFile(file: { readonly type: "asset"; readonly name: string; readonly source: Uint8Array }): string;
  readonly environment?: { readonly mode: string; readonly config: { readonly consumer: string } };
}

type Framework = Parameters<UnpluginInstance<MoeOptions | undefined, false>["raw"]>[1]["framework"];

/** By the options, which a plug-in shares with those of its workers. */
const outcomesOf = new WeakMap<MoeOptions, Map<string, Outcome>>();

export const plugin: UnpluginInstance<MoeOptions | undefined, false> = createUnplugin(
  (given: MoeOptions | undefined, { framework }) => {
    const options = given ?? {};
    const known = outcomesOf.get(options) ?? new Map<string, Outcome>();
    outcomesOf.set(options, known);
    /** Bundlers ask for one module several times, for pages, servers and workers. */
    const outcomeOf = (file: string): Outcome => {
      const before = known.get(file);
      if (before !== undefined && isFresh(before)) return before;
      const outcome = compileModule(file, options);
      known.set(file, outcome);
      return outcome;
    };
    /** Of the project; a bundler that has one says so. */
    let root = process.cwd();

    return {
      name: "moelang",
      enforce: "pre",
      load: {
        filter: { id: isModule },
        async handler(id) {
          const outcome = withReasons(framework, id, () => outcomeOf(id));
          for (const file of outcome.read.keys()) this.addWatchFile(file);
          for (const warning of outcome.warnings) this.warn(warning);
          if (outcome.error !== undefined) throw problem(framework, outcome.error);
          const compiled = outcome.compiled!;
          const places = placesOf(this as unknown as Context, framework, id, compiled, options);
          const { js, dts } = await moduleText(compiled.program, {
            ...{ source: id.replace(/^.*[\\/]/, ""), version, docs: compiled.docs, places },
            sourceHash: compiled.sourceHash,
            files: compiled.files,
            webgpu: options.targets?.includes("webgpu") === true,
          });
          const types = typesFile(id, options, root);
          if (types !== undefined) withReasons(framework, id, () => writeTypes(types, dts, elsewhere));
          return { code: js, map: null };
        },
      },
      vite: {
        config: ({ worker }) => ({
          // Workers are bundled with plug-ins of their own.
          worker: { plugins: () => [...asList(worker?.plugins?.()), plugin.vite(options)] },
        }),
        configResolved: ({ root: of }) => void (root = of),
      },
      webpack: ({ context }) => void (root = context),
      rspack: ({ context }) => void (root = context),
      esbuild: {
        loader: "js",
        setup(build) {
          root = build.initialOptions.absWorkingDir ?? root;
          build.onResolve({ filter: new RegExp(`^${namespace}:`) }, ({ path }) => {
            const [name, module] = path.slice(namespace.length + 1).split("?", 2);
            return { path: name!, suffix: `?${module}`, namespace };
          });
          build.onLoad({ filter: /.*/, namespace }, ({ path, suffix }) => {
            const contents = outcomeOf(suffix.slice(1)).compiled?.files.get(path);
            return contents === undefined ? undefined : { contents, loader: "file" };
          });
        },
      },
    };
  },
);

const asList = (plugins: unknown): VitePlugin[] => (Array.isArray(plugins) ? (plugins as VitePlugin[]) : []);

function placesOf(
  context: Context,
  framework: Framework,
  id: string,
  { files }: CompiledModule,
  { kernels = "files" }: MoeOptions,
): Places {
  if (kernels === "inline") return inlined(files);
  switch (framework) {
    case "rollup":
    case "rolldown":
      return emitted(files, (name, source) => context.emitFile({ type: "asset", name, source }));
    case "esbuild":
      return imported(files, (name) => `${namespace}:${name}?${id}`);
    case "vite": {
      const { mode, config } = context.environment ?? {};
      // Vite emits no files for servers.
      const forServer = mode === "build" && config?.consumer === "server";
      return forServer ? inlined(files) : onDisk(files, id);
    }
    case "webpack":
    case "rspack":
      return onDisk(files, id);
    default:
      return inlined(files);
  }
}

/** Whether the files are still those that were read: one may have been saved since, even while others were read. */
const isFresh = ({ read }: Outcome): boolean =>
  [...read].every(([file, text]) => {
    try {
      return readText("", file) === text;
    } catch {
      return false;
    }
  });

/** A mistake as an error of the bundler: those that know places get it apart, the others get the picture in the message. */
function problem(framework: Framework, { message, picture, file, line, column }: Trouble): Error {
  const apart = framework === "vite" || framework === "rollup" || framework === "rolldown";
  const error = new Error(apart ? message : picture);
  // Where this code threw it helps nobody.
  error.stack = "";
  // The message is told already.
  const frame = apart ? picture.replace(/^error.*\n/, "") : picture;
  return Object.assign(error, { id: file, loc: { file, line, column }, frame });
}

/** Files that cannot be read or written are told like mistakes. */
function withReasons<T>(framework: Framework, file: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    const help = error.help === undefined ? "" : `; ${error.help}`;
    const message = `${error.code}: ${error.message}${help}`;
    throw problem(framework, { message, picture: message, file, line: 1, column: 0 });
  }
}
