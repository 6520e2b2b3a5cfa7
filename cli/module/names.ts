// Names in a generated module: the model's name as a type, and shapes as types. In: the program. Out: TypeScript text that is
// valid whatever the model is called. Knows nothing of files or of ts-morph.

import type { ElementName, Port } from "../../runtime/program.ts";
import { nameOf } from "../../runtime/shaped-inputs.ts";
import { known, type Size } from "../../runtime/size.ts";

/** What the declarations call the runtime. */
export const runtime = "moe";

const isIdentifier = (name: string): boolean => /^[A-Za-z_$][\w$]*$/.test(name);

/** Names that a generated module uses itself, and those that no type may have. */
const taken = new Set(
  (
    "any as async AsyncIterable bigint boolean ArrayLike break case catch class const continue debugger default delete do else " +
    "enum export extends false finally for function if implements import in instanceof interface Int32Array keyof let load " +
    "moe never new null number object package private Promise protected public readonly return static string super " +
    "switch symbol tensor this throw true try type typeof Uint8Array undefined unknown URL var void while with yield Symbol"
  ).split(" "),
);

/** `small-model` is `small_model`; a name that means something already gets `Model` after it. */
export function typeName(model: string): string {
  const name = model.replaceAll(/[^\w$]/g, "_").replace(/^(?=\d)|^$/, "_");
  return taken.has(name) ? `${name}Model` : name;
}

/** `"block.0.w"`, or `w` where that is enough. */
export const propertyName = (name: string): string => (isIdentifier(name) ? name : JSON.stringify(name));

/** `readonly [B: number, T: number, 512]` */
export const shapeType = (shape: readonly Size[]): string =>
  `readonly [${shape
    .map((size) => {
      const number = known(size);
      const name = nameOf(size);
      if (number !== undefined) return String(number);
      return name !== undefined && isIdentifier(name) ? `${name}: number` : "number";
    })
    .join(", ")}]`;

export const shapedType = (type: ElementName, shape: readonly Size[]): string =>
  `${runtime}.Shaped<"${type}", ${shapeType(shape)}>`;

export const inputType = ({ type, shape }: Port): string =>
  shape.length === 0 ? "number" : `${runtime}.ShapedInput<"${type}", ${shapeType(shape)}>`;

/** `[A, A]` for a few, an array for many. */
export const repeated = (type: string, count: number): string =>
  count <= 16 ? `readonly [${Array.from({ length: count }, () => type).join(", ")}]` : `readonly ${type}[]`;
