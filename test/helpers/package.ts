// The package as a user gets it, in a folder of its own: bundled JavaScript, type declarations, package.json with its `exports`.
// Built from the sources as they are, so that tests need no `dist/`. Only what a compiled model needs: the runtime.

import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  symlinkSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative, resolve } from "node:path";
import ts from "typescript";
import { bundle } from "../../scripts/bundle.mjs";

const root = resolve(import.meta.dirname, "../..");

export const temporaryFolder = (name: string): string =>
  realpathSync(mkdtempSync(join(tmpdir(), `moe-${name}-`)));

/** Makes `folder/node_modules/moelang`: the runtime, and other entries with the packages that they import. */
export async function installRuntime(folder: string, others: readonly string[] = []): Promise<string> {
  const target = join(folder, "node_modules/moelang");
  mkdirSync(target, { recursive: true });
  await bundle(["runtime", "runtime-node", ...others], join(target, "dist"));
  if (others.length > 0) linkPackages(folder, Object.keys(dependencies));
  emitTypes(join(target, "dist/types"));
  copyFileSync(join(root, "package.json"), join(target, "package.json"));
  return target;
}

const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
  dependencies: Readonly<Record<string, string>>;
};

/** The project's own copies of packages, in a folder that is outside of it. */
export function linkPackages(folder: string, names: readonly string[]): void {
  for (const name of names) {
    const link = join(folder, "node_modules", name);
    mkdirSync(dirname(link), { recursive: true });
    if (!existsSync(link)) symlinkSync(join(root, "node_modules", name), link, "dir");
  }
}

function emitTypes(outDir: string): void {
  const { config } = ts.readConfigFile(join(root, "tsconfig.build.json"), ts.sys.readFile) as {
    config: object;
  };
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root);
  const program = ts.createProgram([join(root, "runtime/index.ts")], { ...options, outDir });
  program.emit();
}

/** What TypeScript says of a project: `file:line code message` for each error, in the project's own strictness. Emits it too. The
 * declarations of packages are checked as well, but for those of Node and of the language. */
export function compileProject(folder: string): string[] {
  const { config } = ts.readConfigFile(join(folder, "tsconfig.json"), ts.sys.readFile) as { config: object };
  const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, folder);
  const program = ts.createProgram(fileNames, { ...options, skipLibCheck: false });
  const files = program
    .getSourceFiles()
    .filter(({ fileName }) => !/\/(typescript|@types|undici-types)\//.test(fileName));
  const found = [
    ...program.getOptionsDiagnostics(),
    ...files.flatMap((file) => [
      ...program.getSyntacticDiagnostics(file),
      ...program.getSemanticDiagnostics(file),
    ]),
  ];
  program.emit();
  return found.map(({ file, start, code, messageText }) => {
    const text = ts.flattenDiagnosticMessageText(messageText, " ");
    if (file === undefined) return `TS${code} ${text}`;
    const { line } = file.getLineAndCharacterOfPosition(start ?? 0);
    return `${relative(folder, file.fileName)}:${line + 1} TS${code} ${text}`;
  });
}
