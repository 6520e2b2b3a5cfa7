// Inputs of an entry by their shapes: works out the symbolic sizes (batch, length) from what was given, and checks that all
// inputs agree. In: an entry and shaped values by name. Out: sizes, and flat values for the session. Ports that begin with `$`
// (step, seed) are not the caller's.

import { UserError } from "./errors.ts";
import type { Entry, Modality, Port } from "./program.ts";
import { elements, flatten, type Flat } from "./shaped.ts";
import { evaluate, namesOf, sizeKey, type Size, type Sizes } from "./size.ts";

export interface ShapedInputs {
  readonly sizes: Sizes;
  readonly inputs: Readonly<Record<string, ArrayLike<number>>>;
}

/** `modalities`: their ids are checked. One that no table and no class has would count as zeros in silence. */
export function shapedInputs(
  entry: Entry,
  given: Readonly<Record<string, unknown>>,
  modalities: readonly Modality[] = [],
): ShapedInputs {
  const ports = new Map(callersPorts(entry).map((port) => [port.name, port]));
  const inputs: Record<string, ArrayLike<number>> = {};
  const flats: { port: Port; flat: Flat }[] = [];
  for (const [name, value] of Object.entries(given)) {
    const port = ports.get(name);
    if (port === undefined) throw unknownInput(entry, name);
    if (value === undefined) continue;
    const flat = flatten(name, value);
    if (flat.shape.length !== port.shape.length) throw wrongShape(port, flat);
    checkIds(port, flat, modalities);
    flats.push({ port, flat });
    inputs[name] = flat.values;
  }
  for (const [name, port] of ports)
    if (inputs[name] === undefined)
      throw new UserError("R0504", `\`${entry.name}\` needs the input \`${name}\`, which is not given`, {
        help: `give \`${name}\` as ${shapeText(port)} ${port.type === "f32" ? "numbers" : "whole numbers"}`,
      });
  const sizes = sizesOf(flats);
  for (const { port, flat } of flats)
    port.shape.forEach((size, axis) => {
      if ([...namesOf(size)].every((name) => name in sizes) && evaluate(size, sizes) !== flat.shape[axis])
        throw wrongShape(port, flat);
    });
  return { sizes, inputs };
}

/** Ids of tokens and categories are below the modality's count; one below 0 says that there is none. */
function checkIds({ name, type }: Port, { values }: Flat, modalities: readonly Modality[]): void {
  const modality = type === "i32" ? modalities.find(({ ports }) => ports.includes(name)) : undefined;
  const count = modality?.count;
  if (count === undefined) return;
  for (let i = 0; i < values.length; i++) {
    const id = values[i]!;
    if (id < count) continue;
    throw new UserError(
      "R0504",
      `\`${name}\` holds ${id}, and \`${modality!.name}\` has the ids 0 to ${count - 1}`,
      {
        help: "give ids of the model's own vocabulary or classes, or -1 where there is none",
      },
    );
  }
}

/** Each name from the first axis that is just this name; the others must agree. */
function sizesOf(flats: readonly { readonly port: Port; readonly flat: Flat }[]): Sizes {
  const found = new Map<string, { readonly length: number; readonly port: string }>();
  for (const { port, flat } of flats)
    port.shape.forEach((size, axis) => {
      const name = nameOf(size);
      if (name === undefined) return;
      const length = flat.shape[axis]!;
      const before = found.get(name);
      if (before !== undefined && before.length !== length)
        throw new UserError(
          "R0504",
          `\`${port.name}\` is [${flat.shape.join(", ")}] where ${shapeText(port)} is wanted: its \`${name}\` is ${length}, ` +
            `and \`${before.port}\` has ${before.length}`,
          { help: `give all inputs the same \`${name}\`` },
        );
      if (before === undefined) found.set(name, { length, port: port.name });
    });
  return Object.fromEntries([...found].map(([name, { length }]) => [name, length]));
}

/** The name, when a size is nothing but a name. */
export function nameOf(size: Size): string | undefined {
  const [term] = size;
  const [factor] = term?.factors ?? [];
  return size.length === 1 &&
    term?.coefficient === 1 &&
    term.factors.length === 1 &&
    typeof factor === "string"
    ? factor
    : undefined;
}

/** The inputs that a caller gives. */
export const callersPorts = (entry: Entry): readonly Port[] =>
  entry.inputs.filter(({ name }) => !name.startsWith("$"));

export const shapeText = ({ shape }: Pick<Port, "shape">): string => `[${shape.map(sizeKey).join(", ")}]`;

function wrongShape(port: Port, flat: Flat): UserError {
  const count = elements(flat.shape);
  return new UserError(
    "R0504",
    `\`${port.name}\` is [${flat.shape.join(", ")}] (${count} element${count === 1 ? "" : "s"}) where ${shapeText(port)} is wanted`,
    {
      help: `give nested arrays of this shape, or tensor(shape, values); names stand for lengths of your choice`,
    },
  );
}

function unknownInput(entry: Entry, name: string): UserError {
  const names = callersPorts(entry).map((port) => `\`${port.name}\``);
  return new UserError("R0504", `\`${entry.name}\` has no input \`${name}\``, {
    help: `its inputs are ${names.join(", ") || "none"}`,
  });
}
