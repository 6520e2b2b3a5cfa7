// Checked: what the compiler says of a module, as plain data that can be sent from a worker: the diagnostics of `moe check`, the
// value that every name stands for, as text, and the statics that applications take from their inputs. In: a host and a path.
// Takes as long as `moe check` does: never on the way of a key press.

import { checkModule } from "../../compiler/compile.ts";
import type { Watch } from "../../compiler/elaborate/elaboration.ts";
import { showShape, showSize } from "../../compiler/elaborate/number.ts";
import { asTensor, type Value } from "../../compiler/elaborate/value.ts";
import type { Host } from "../../compiler/model.ts";
import type { Diagnostic } from "../../grammar/diagnostic.ts";
import type { Span } from "../../grammar/syntax.ts";

/** What stands at a place: `[T, D = 256]`. */
export interface Note extends Span {
  readonly text: string;
}

/** `RMSNorm(x)` takes `D = 256` from `x`: the span is that of the application. */
export interface Given extends Span {
  readonly statics: readonly { readonly name: string; readonly text: string }[];
}

export interface Checked {
  readonly path: string;
  readonly diagnostics: readonly Diagnostic[];
  readonly notes: readonly Note[];
  readonly given: readonly Given[];
  /** Every module that was read, this one included. */
  readonly modules: readonly string[];
}

export function checkFor(host: Host, path: string): Checked {
  const notes = new Map<string, Note>();
  const given = new Map<string, Given>();
  const modules = new Set<string>();
  const watch: Watch = {
    named(module, { start, end }, value) {
      if (module !== path) return;
      const text = showValue(value);
      if (text !== undefined) notes.set(`${start}:${end}`, { start, end, text });
    },
    applied(module, { start, end }, instance, statics) {
      if (module !== path) return;
      const taken = instance.definition.statics.flatMap(({ name, value }) => {
        const found = statics.get(name.text);
        if (instance.statics.has(name.text) || value !== undefined || found?.kind !== "number") return [];
        return found.poly === undefined ? [] : [{ name: name.text, text: showSize(found.poly) }];
      });
      if (taken.length > 0) given.set(`${start}:${end}`, { start, end, statics: taken });
    },
  };
  const reading: Host = {
    read(module) {
      modules.add(module);
      return host.read(module);
    },
  };
  const diagnostics = checkModule(reading, path, watch);
  return {
    path,
    diagnostics,
    notes: [...notes.values()].sort((a, b) => a.start - b.start),
    given: [...given.values()].sort((a, b) => a.start - b.start),
    modules: [...modules],
  };
}

/** A value as the text would declare it; undefined when nothing is known of it. */
export function showValue(value: Value): string | undefined {
  const tensor = asTensor(value);
  if (tensor !== undefined) {
    const element = tensor.element === "number" ? "" : `${tensor.element} `;
    const indices = tensor.hidden.filter(({ kind }) => kind === "index").map(({ name }) => name);
    return `${element}${showShape(tensor.axes)}${indices.length > 0 ? ` for each ${indices.join(", ")}` : ""}`;
  }
  switch (value.kind) {
    case "number":
      return value.poly === undefined ? undefined : showSize(value.poly);
    case "truth":
      return value.value === undefined ? undefined : String(value.value);
    case "instance": {
      const statics = [...value.statics].flatMap(([name, each]) => {
        const text = each.kind === "tensor" ? undefined : showValue(each);
        return text === undefined ? [] : [`${name} = ${text}`];
      });
      const { name, kind } = value.definition;
      return `${kind} ${name.text}${statics.length > 0 ? ` { ${statics.join(", ")} }` : ""}`;
    }
    case "definition":
      return `${value.definition.kind} ${value.definition.name.text}`;
    case "pool": {
      const parts = [
        ...value.segments.map(({ instance, count }) => [instance.definition.name.text, count] as const),
        ...value.nulls.map(({ kind, count }) => [kind, count] as const),
      ];
      return `pool of ${parts.map(([name, count]) => `${name} * ${count.poly === undefined ? "?" : showSize(count.poly)}`).join(" + ")}`;
    }
    case "gates":
      return `gates[${showSize(value.count)}]`;
    case "index":
      return value.axis === undefined ? "index" : `index below ${showSize(value.axis.size)}`;
    default:
      return undefined;
  }
}

/** The note of exactly this span. */
export function noteAt(checked: Checked | undefined, { start, end }: Span): string | undefined {
  return checked?.notes.find((note) => note.start === start && note.end === end)?.text;
}
