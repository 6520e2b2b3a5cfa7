// The generated module: a compiled model as a TypeScript library of its own. In: a program, and where it came from. Out: the
// texts of `small.js` and `small.d.ts`, which lie beside program.json and the wasm modules. The same input gives the same
// bytes. The code is small because the runtime has all of it (runtime/model.ts); the declarations say what this one model is.

import { format } from "prettier";
import type { Program } from "../../runtime/program.ts";
import { declarations } from "./declarations.ts";
import { noDocs, type Docs } from "./docs.ts";

export interface ModuleOptions {
  /** The `.moe` file, as the header names it. */
  readonly source: string;
  /** Of the tool. */
  readonly version: string;
  readonly sourceHash: string;
  /** Whether shaders lie beside it, too. */
  readonly webgpu?: boolean;
  /** `docsOf(model, name)`; what a comment in the file says. */
  readonly docs?: Docs;
}

export interface ModuleText {
  readonly js: string;
  readonly dts: string;
}

export async function moduleText(program: Program, options: ModuleOptions): Promise<ModuleText> {
  const head = header(options);
  const dts = declarations(program, options.docs ?? noDocs, head);
  const js = javascript(program, head, options.webgpu === true);
  return { js: await formatted(js, "babel"), dts: await formatted(dts, "typescript") };
}

const oneLine = (text: string): string => text.replaceAll(/[\r\n\u2028\u2029]+/g, " ");

const header = ({ source, version, sourceHash }: ModuleOptions): string =>
  `// Made by moelang ${oneLine(version)} from ${oneLine(source)} (${oneLine(sourceHash)}).\n` +
  `// Do not edit: change ${oneLine(source)} and run \`moe build\` again.\n`;

/** `new URL(..., import.meta.url)` in this very form is what bundlers look for. */
const javascript = ({ name }: Program, head: string, webgpu: boolean): string => `${head}
import { openModel } from "moelang/runtime";

export { tensor } from "moelang/runtime";

const files = {
  program: new URL("./program.json", import.meta.url),
  wasm: {
    plain: new URL("./model.wasm", import.meta.url),
    relaxed: new URL("./model.relaxed.wasm", import.meta.url),
  },${webgpu ? shaders : ""}
};

export const load = (options) => openModel(files, options);

export default { name: ${JSON.stringify(name)}, load };
`;

const shaders = `
  webgpu: {
    program: new URL("./program.webgpu.json", import.meta.url),
    shaders: new URL("./model.wgsl", import.meta.url),
  },`;

const formatted = (text: string, parser: "babel" | "typescript"): Promise<string> =>
  format(text, { parser, printWidth: 100, endOfLine: "lf" });
