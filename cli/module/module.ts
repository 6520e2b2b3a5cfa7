// The generated module: a compiled model as a TypeScript library of its own. In: a program, and where it came from. Out: the
// texts of `small.js` and `small.d.ts`, which lie beside program.json and the wasm modules. The same input gives the same
// bytes. The code is small because the runtime has all of it (runtime/model.ts); the declarations say what this one model is.

import { format } from "prettier";
import { checkedFiles, checksumOf, checksumOfJson, checksumOfText } from "../../runtime/model-checks.ts";
import type { Program } from "../../runtime/program.ts";
import { declarations } from "./declarations.ts";
import { noDocs, type Docs } from "./docs.ts";

export interface ModuleOptions {
  /** The `.moe` file, as the header names it. */
  readonly source: string;
  /** Of the tool. */
  readonly version: string;
  readonly sourceHash: string;
  /** Whether there are shaders, too. */
  readonly webgpu?: boolean;
  /** What it was built with: its files have to be these when it is loaded. */
  readonly files?: ReadonlyMap<string, string | Uint8Array>;
  /** Where the module finds its files; beside it when not given. */
  readonly places?: Places;
  /** `docsOf(model, name)`; what a comment in the file says. */
  readonly docs?: Docs;
}

/** How the module gets hold of its files, as JavaScript. */
export interface Places {
  /** An expression that a file's URL or bytes are the value of. */
  readonly of: (file: string) => string;
  /** Statements that the expressions need before them. */
  readonly before?: string;
}

export interface ModuleText {
  readonly js: string;
  readonly dts: string;
}

export async function moduleText(program: Program, options: ModuleOptions): Promise<ModuleText> {
  const head = header(options);
  const dts = declarations(program, options.docs ?? noDocs, head);
  const js = javascript(program, head, options);
  return { js: await formatted(js), dts: await formatted(dts) };
}

const oneLine = (text: string): string => text.replaceAll(/[\r\n\u2028\u2029]+/g, " ");

const header = ({ source, version, sourceHash }: ModuleOptions): string =>
  `// Made by moelang ${oneLine(version)} from ${oneLine(source)} (${oneLine(sourceHash)}).\n` +
  `// Do not edit: change ${oneLine(source)} and run \`moe build\` again.\n`;

/** `new URL(..., import.meta.url)` in this very form is what bundlers look for. */
const beside: Places = { of: (file) => `new URL("./${file}", import.meta.url)` };

const javascript = (
  { name }: Program,
  head: string,
  { webgpu = false, places = beside, files }: ModuleOptions,
): string => `${head}
import { openModel } from "moelang/runtime";
${places.before ?? ""}
export { tensor } from "moelang/runtime";

const files = {
  program: ${places.of("program.json")},
  wasm: {
    plain: ${places.of("model.wasm")},
    relaxed: ${places.of("model.relaxed.wasm")},
  },${webgpu ? shaders(places) : ""}${files === undefined ? "" : checksums(files)}
};

export const load = (options) => openModel(files, options);

export default { name: ${JSON.stringify(name)}, load };
`;

const shaders = (places: Places): string => `
  webgpu: {
    program: ${places.of("program.webgpu.json")},
    shaders: ${places.of("model.wgsl")},
  },`;

const checksums = (files: ReadonlyMap<string, string | Uint8Array>): string => `
  checksums: {
    ${Object.values(checkedFiles)
      .flatMap((name) => {
        const content = files.get(name);
        return content === undefined ? [] : [`"${name}": "${checksum(name, content)}",`];
      })
      .join("\n")}
  },`;

function checksum(name: string, content: string | Uint8Array): string {
  if (name.endsWith(".wasm")) return checksumOf(asBytes(content));
  const text = typeof content === "string" ? content : new TextDecoder().decode(content);
  return name.endsWith(".json") ? checksumOfJson(JSON.parse(text)) : checksumOfText(text);
}

const asBytes = (content: string | Uint8Array): Uint8Array =>
  typeof content === "string" ? new TextEncoder().encode(content) : content;

/** One parser for both: the other one of TypeScript is another few megabytes to load. */
const formatted = (text: string): Promise<string> =>
  format(text, { parser: "babel-ts", printWidth: 100, endOfLine: "lf" });
