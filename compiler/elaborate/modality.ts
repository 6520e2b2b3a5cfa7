// Modalities: what enters a model: `modality text = tokens(vocab = 256)`. In: a statement. Out: a tensor for the inputs, with its
// members (`text.next`, `text.vocab`, `digit.count`), and its description for data readers.

import type { Expression, Statement } from "../../grammar/syntax.ts";
import type { Modality } from "../../runtime/program.ts";
import { constant, named, type Size } from "../../runtime/size.ts";
import { didYouMean } from "../diagnostics/suggest.ts";
import { shapeOf } from "./align.ts";
import { checking, frameOf, report, type Elaboration } from "./elaboration.ts";
import { number, ofSize, valueOf } from "./number.ts";
import { bind, type Scope } from "./scope.ts";
import {
  broken,
  isBroken,
  tensor,
  type Element,
  type Hidden,
  type Value,
  type VisibleAxis,
} from "./value.ts";

const kinds = ["tokens", "image", "category", "features", "number"] as const;
type Kind = (typeof kinds)[number];
const isKind = (name: string): name is Kind => (kinds as readonly string[]).includes(name);
const examples: Readonly<Record<Kind, string>> = {
  tokens: "tokens(vocab = 256)",
  image: "image(28, 28)",
  category: "category(10)",
  features: "features(13)",
  number: "number",
};

/** The numbers in the brackets of `image(32, 32, 3)`, `tokens(vocab = 256)`. */
function numbersOf(
  of: Elaboration,
  kind: Kind,
  expression: Expression,
  scope: Scope,
): readonly (number | undefined)[] | undefined {
  const list = expression.node === "call" ? expression.arguments : [];
  const [least, most] = kind === "image" ? [2, 3] : kind === "number" ? [0, 0] : [1, 1];
  const misnamed = list.find(
    ({ name }) => name !== undefined && !(kind === "tokens" && name.text === "vocab"),
  );
  if (list.length < least || list.length > most || misnamed !== undefined) {
    report(of, "M0603", misnamed?.span ?? expression.span, `\`${kind}\` is written \`${examples[kind]}\``, {
      label: misnamed === undefined ? `${list.length} given` : "not known",
      help: `write \`${examples[kind]}\``,
    });
    return undefined;
  }
  const values: (number | undefined)[] = [];
  for (const { value } of list) {
    const found = of.parts.evaluate(of, value, scope);
    if (isBroken(found)) return undefined;
    const size = found.kind === "number" ? valueOf(found) : undefined;
    if (found.kind === "number" && size === undefined && checking(of)) values.push(undefined);
    else if (size === undefined || !Number.isInteger(size) || size < 1) {
      report(of, "M0603", value.span, "a modality's size must be a whole number of at least 1", {
        label: size === undefined ? "not a known number" : `this is ${size}`,
        help: `write \`${examples[kind]}\``,
      });
      return undefined;
    } else values.push(size);
  }
  return values;
}

/** The name of a token modality's length: `T`, or `T_text` and `T_speech` where there are several. */
function lengthName(of: Elaboration, name: string): string {
  const tokens = frameOf(of).definition.body.filter(
    (each) =>
      each.node === "modality" &&
      (each.value.node === "call"
        ? each.value.callee.node === "name" && each.value.callee.text === "tokens"
        : false),
  );
  return tokens.length > 1 ? `T_${name}` : "T";
}

export function declareModality(
  of: Elaboration,
  statement: Extract<Statement, { node: "modality" }>,
  scope: Scope,
): void {
  const { name, value: expression } = statement;
  const callee = expression.node === "call" ? expression.callee : expression;
  const kind = callee.node === "name" ? callee.text : "";
  if (!isKind(kind)) {
    report(of, "M0603", expression.span, "a modality is tokens, image, category, features or number", {
      label: "not one of them",
      help: didYouMean(kind, kinds, "write `tokens(vocab = 256)`"),
    });
    return bind(scope, name.text, broken);
  }
  const sizes = numbersOf(of, kind, expression, scope);
  if (sizes === undefined) return bind(scope, name.text, broken);
  const batch: Hidden[] = frameOf(of).lead.slice(0, 1);
  const axis = (size: number | undefined, label: string): VisibleAxis => ({
    size: size === undefined ? named(label) : constant(size),
    name: label,
    pieces: [{ modality: name.text, size: size === undefined ? named(label) : constant(size) }],
  });
  const port = (port: string, element: Element, axes: readonly VisibleAxis[]): Value =>
    tensor(
      element,
      batch,
      axes,
      of.builder?.input(port, element === "number" ? "f32" : "i32", shapeOf(batch, axes)),
    );
  const members = new Map<string, Value>();
  const ports = [name.text];
  let about: Omit<Modality, "name" | "kind" | "ports"> = {};
  let axes: readonly VisibleAxis[] = [];
  let element: Element = "number";
  const [first] = sizes;
  switch (kind) {
    case "tokens": {
      const length = lengthName(of, name.text);
      of.lengths.add(length);
      const size: Size = named(length);
      axes = [{ size, name: length, pieces: [{ modality: name.text, size }] }];
      element = "int";
      ports.push(`${name.text}.next`);
      members.set("next", port(`${name.text}.next`, "int", axes));
      members.set("vocab", first === undefined ? { kind: "number" } : { ...number(first), name: "vocab" });
      members.set("length", ofSize(size, length));
      about = { length, ...(first === undefined ? {} : { count: first }) };
      break;
    }
    case "image":
      axes = sizes.map((each, i) => axis(each, ["height", "width", "channels"][i]!));
      about = { shape: [...sizes.map((each) => each ?? 1), ...(sizes.length === 2 ? [1] : [])] };
      break;
    case "category":
      element = "int";
      members.set("count", first === undefined ? { kind: "number" } : number(first));
      about = first === undefined ? {} : { count: first };
      break;
    case "features":
      axes = [axis(first, "features")];
      about = first === undefined ? {} : { count: first };
      break;
    case "number":
      break;
    default:
      return kind satisfies never;
  }
  const entered = port(name.text, element, axes);
  if (entered.kind !== "tensor") throw new Error("internal: an input that is no tensor");
  of.collected.modalities.push({ name: name.text, kind, ...about, ports });
  bind(scope, name.text, { kind: "modality", name: name.text, tensor: entered, members });
}
