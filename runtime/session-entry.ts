// One entry of a program at given sizes: where its buffers lie and what each dispatch is called with.
// In: a program, an entry's name, sizes, the addresses of tensors and of the arena. Out: calls for the pool, and places of
// the inputs and outputs. Works out everything that does not change between two runs, so that a run only calls.

import { elements, layoutArena } from "./arena.ts";
import type { ArenaLayout } from "./arena.ts";
import { inWords } from "./in-words.ts";
import type { Call } from "./pool.ts";
import type { BufferRef, Dispatch, Entry, Port, Program, StoredName } from "./program.ts";
import { evaluate } from "./size.ts";
import type { Sizes } from "./size.ts";
import { storedIn } from "./stored.ts";

export interface Place {
  readonly port: Port;
  /** In bytes. */
  readonly address: number;
  /** In elements. */
  readonly length: number;
  readonly shape: readonly number[];
}

/** What one dispatch does, for timings and traces. */
export interface DispatchInfo extends Pick<Dispatch, "label" | "place"> {
  /** Name of its kernel. */
  readonly kernel: string;
  readonly multiplyAdds: number;
  readonly buffers: readonly BoundBuffer[];
}

export interface BoundBuffer {
  readonly ref: BufferRef;
  /** Of a temporary, its label; of others, their names. */
  readonly name: string;
  readonly access: "read" | "write" | "update";
  readonly type: StoredName;
  readonly address: number;
  readonly length: number;
  /** No earlier dispatch has touched it: its contents are left from something else. */
  readonly fresh: boolean;
}

export interface PreparedEntry {
  readonly entry: Entry;
  readonly layout: ArenaLayout;
  readonly inputs: readonly Place[];
  readonly outputs: readonly Place[];
  readonly calls: readonly Call[];
  readonly dispatches: readonly DispatchInfo[];
}

export interface Addresses {
  readonly tensors: ReadonlyMap<string, number>;
  readonly arena: number;
  readonly kernel: (index: number) => Call["run"];
}

export function prepareEntry(
  program: Program,
  entry: Entry,
  sizes: Sizes,
  addresses: Addresses,
  layout: ArenaLayout = layoutArena(entry, sizes),
): PreparedEntry {
  const tensors = new Map(storedIn(program).map((stored) => [stored.name, stored]));
  const place =
    (buffers: ArenaLayout["inputs"]) =>
    (port: Port): Place => {
      const address = addresses.arena + buffers.get(port.name)!.offset;
      const shape = port.shape.map((size) => evaluate(size, sizes));
      return { port, address, length: elements(port.shape, sizes), shape };
    };
  const inputs = entry.inputs.map(place(layout.inputs));
  const outputs = entry.outputs.map(place(layout.outputs));
  const ports = {
    input: new Map(inputs.map((input) => [input.port.name, input])),
    output: new Map(outputs.map((output) => [output.port.name, output])),
  };

  const touched = new Set<string>();
  const bind = (ref: BufferRef, access: BoundBuffer["access"]): BoundBuffer => {
    const key = ref.kind === "temporary" ? `temporary ${ref.index}` : `${ref.kind} ${ref.name}`;
    const fresh = !touched.has(key) && (ref.kind === "temporary" || ref.kind === "output");
    touched.add(key);
    switch (ref.kind) {
      case "temporary": {
        const { label, type, length } = entry.temporaries[ref.index]!;
        const address = addresses.arena + layout.temporaries[ref.index]!.offset;
        return { ref, name: label, access, type, address, length: evaluate(length, sizes), fresh };
      }
      case "input":
      case "output": {
        const { port, address, length } = ports[ref.kind].get(ref.name)!;
        return { ref, name: ref.name, access, type: port.type, address, length, fresh };
      }
      case "tensor": {
        const { type, shape } = tensors.get(ref.name)!;
        const address = addresses.tensors.get(ref.name)!;
        return {
          ref,
          name: ref.name,
          access,
          type,
          address,
          length: shape.reduce((a, b) => a * b, 1),
          fresh,
        };
      }
      default:
        return ref satisfies never;
    }
  };

  const calls: Call[] = [];
  const dispatches = entry.dispatches.map((dispatch): DispatchInfo => {
    const kernel = program.kernels[dispatch.kernel]!;
    const buffers = dispatch.buffers.map((ref, i) => bind(ref, kernel.buffers[i]!.access));
    const multiplyAdds = kernel.multiplyAdds === undefined ? 0 : evaluate(kernel.multiplyAdds, sizes);
    const touches = buffers.reduce((sum, buffer) => sum + buffer.length, 0);
    calls.push({
      what: inWords(dispatch),
      kernel: dispatch.kernel,
      run: addresses.kernel(dispatch.kernel),
      args: [...buffers.map(({ address }) => address), ...kernel.sizes.map((name) => sizeOf(name, sizes))],
      grid: evaluate(kernel.grid, sizes),
      work: multiplyAdds + 4 * touches,
    });
    return { ...dispatch, kernel: kernel.name, multiplyAdds, buffers };
  });
  return { entry, layout, inputs, outputs, calls, dispatches };
}

function sizeOf(name: string, sizes: Sizes): number {
  const value = sizes[name];
  if (value === undefined) throw new Error(`internal: the size ${name} has no value`);
  return value;
}
