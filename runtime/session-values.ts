// Values that go into and come out of a session. In: what a caller gave for an entry's inputs. Out: numbers in memory, or
// one clear error that names the port, what it wants and what it got.

import { UserError } from "./errors.ts";
import type { ElementName } from "./program.ts";
import type { Place } from "./session-entry.ts";

export type Values = Float32Array | Int32Array;

/** For each input port its elements, row-major; a number for a scalar. `$step`, `$draw`, `$position` are 0 and `$seed` is the
 * session's when not given. */
export type Inputs = Readonly<Record<string, number | ArrayLike<number>>>;
export type Outputs = Readonly<Record<string, Values>>;

export const viewOf = (
  buffer: ArrayBufferLike,
  type: ElementName,
  address: number,
  length: number,
): Values =>
  type === "f32" ? new Float32Array(buffer, address, length) : new Int32Array(buffer, address, length);

export function writeInputs(
  buffer: ArrayBufferLike,
  entry: string,
  places: readonly Place[],
  inputs: Inputs,
  seed: number,
): void {
  for (const name of Object.keys(inputs))
    if (!places.some((place) => place.port.name === name)) throw unknownInput(entry, name, places);
  for (const place of places) {
    const { name } = place.port;
    const given = inputs[name] ?? (name === "$seed" ? seed : name.startsWith("$") ? 0 : undefined);
    if (given === undefined)
      throw new UserError("R0504", `\`${entry}\` needs the input \`${name}\`, which is not given`, {
        help: `give \`${name}\` as ${describe(place)}`,
      });
    writeInput(buffer, entry, place, typeof given === "number" ? [given] : given);
  }
}

function writeInput(buffer: ArrayBufferLike, entry: string, place: Place, values: ArrayLike<number>): void {
  const { port, address, length } = place;
  if (values.length !== length)
    throw new UserError(
      "R0504",
      `the input \`${port.name}\` of \`${entry}\` has ${values.length} elements, not ${length}`,
      {
        help: `give it as ${describe(place)}, or open the session with other sizes`,
      },
    );
  if (port.type === "i32" && !isWhole(values))
    throw new UserError("R0504", `the input \`${port.name}\` of \`${entry}\` is not made of whole numbers`, {
      help: `give it as ${describe(place)}`,
    });
  viewOf(buffer, port.type, address, length).set(values);
}

function isWhole(values: ArrayLike<number>): boolean {
  if (ArrayBuffer.isView(values) && !(values instanceof Float32Array) && !(values instanceof Float64Array))
    return true;
  for (let i = 0; i < values.length; i++) if (!Number.isInteger(values[i])) return false;
  return true;
}

const describe = ({ port, shape }: Place): string => {
  const element = port.type === "f32" ? "numbers" : "whole numbers";
  return shape.length === 0 ? `one ${element.slice(0, -1)}` : `[${shape.join(", ")}] ${element}`;
};

function unknownInput(entry: string, name: string, places: readonly Place[]): UserError {
  const names = places.map(({ port }) => `\`${port.name}\``).join(", ");
  return new UserError("R0504", `\`${entry}\` has no input \`${name}\``, {
    help: `its inputs are ${names || "none"}`,
  });
}

/** Outputs as copies, which stay, or as views, which the next run overwrites. */
export function readOutputs(buffer: ArrayBufferLike, places: readonly Place[], copy: boolean): Outputs {
  const outputs: Record<string, Values> = {};
  for (const { port, address, length } of places) {
    const view = viewOf(buffer, port.type, address, length);
    outputs[port.name] = copy ? view.slice() : view;
  }
  return outputs;
}
