// Documentation of a generated module: the `///` comments of a model, and words for what the program says anyway.
// In: the model's syntax, or the program. Out: texts by name. A comment always wins over words that were made here.

import type { Model } from "../../compiler/model.ts";
import type { Statement } from "../../grammar/syntax.ts";
import type { Modality, Port, Program, Tensor } from "../../runtime/program.ts";
import { shapeText } from "../../runtime/shaped-inputs.ts";

/** Texts of `///` comments by what they stand before. */
export interface Docs {
  readonly model?: string;
  readonly modalities: Readonly<Record<string, string>>;
  /** Named losses, and metrics. */
  readonly metrics: Readonly<Record<string, string>>;
  /** Parameters and state of the model itself; those of its layers are in `Tensor.doc`. */
  readonly tensors: Readonly<Record<string, string>>;
}

export const noDocs: Docs = { modalities: {}, metrics: {}, tensors: {} };

/** The comments of a model in its file. */
export function docsOf({ main }: Model, name: string): Docs {
  const entity = main.names.get(name);
  if (entity?.kind !== "definition" || entity.definition.kind !== "model") return noDocs;
  const { definition } = entity;
  const modalities: Record<string, string> = {};
  const metrics: Record<string, string> = {};
  const tensors: Record<string, string> = {};
  const visit = (statements: readonly Statement[]): void => {
    for (const statement of statements) {
      const { doc } = statement;
      if (statement.node === "if") {
        visit(statement.then);
        visit(statement.otherwise);
      }
      if (doc === undefined || !("name" in statement) || statement.name === undefined) continue;
      const { text } = statement.name;
      if (statement.node === "modality") modalities[text] = doc;
      else if (statement.node === "loss" || statement.node === "metric") metrics[text] = doc;
      else if (statement.node === "param" || statement.node === "state") tensors[text] = doc;
    }
  };
  visit(definition.body);
  const model = definition.doc ?? (isAlone(main.syntax.declarations) ? main.syntax.doc : undefined);
  return { ...(model === undefined ? {} : { model }), modalities, metrics, tensors };
}

/** Whether the comment at the top of the file is about the one model in it. */
const isAlone = (declarations: readonly { readonly node: string; readonly kind?: string }[]): boolean =>
  declarations.filter(({ node, kind }) => node === "definition" && kind === "model").length === 1;

export function inputDoc(port: Port, program: Program, docs: Docs): string {
  const modality = program.modalities.find(
    ({ name, ports }) => name === port.name || ports.includes(port.name),
  );
  const shape = port.shape.length === 0 ? "" : ` Shape ${shapeText(port)}.`;
  const said = port.doc ?? (modality?.name === port.name ? docs.modalities[port.name] : undefined);
  if (said !== undefined) return `${said}\n${made(port, modality)}${shape}`;
  return `${made(port, modality)}${shape}`;
}

function made(port: Port, modality: Modality | undefined): string {
  const element = port.type === "f32" ? "Numbers." : "Whole numbers.";
  if (modality === undefined) return element;
  const { name, kind, count = 0, shape = [] } = modality;
  switch (kind) {
    case "tokens":
      if (port.name === name) return `Tokens: whole numbers from 0 to ${count - 1}.`;
      return port.name === `${name}.next`
        ? `\`${name}\`, one position later: what is to be foretold.`
        : element;
    case "image":
      return `Images of ${shape.join(" x ")}, from 0 to 1.`;
    case "category":
      return `Classes: whole numbers from 0 to ${count - 1}.`;
    case "features":
      return `${count} numbers for each example.`;
    case "number":
      return "One number for each example.";
    default:
      throw new Error(`internal: modality ${JSON.stringify(kind satisfies never)}`);
  }
}

export function tensorDoc({ name, role, frozen, doc }: Tensor, docs: Docs): string {
  const kind =
    role === "state" ? "State: changed by its own rule after each step." : frozen === true ? "Frozen." : "";
  return [doc ?? docs.tensors[name] ?? "", kind].filter((text) => text !== "").join("\n");
}

export function metricDoc(name: string, docs: Docs): string {
  return docs.metrics[name] ?? (name === "loss" ? "What training makes smaller: all losses together." : "");
}

/** What the names in shapes mean. */
export const sizesDoc = ({ sizes }: Program): string =>
  sizes
    .filter(({ name }) => name !== "C")
    .map(({ name, doc }) => `\`${name}\`: ${doc.slice(0, 1).toLowerCase()}${doc.slice(1).replace(/\.$/, "")}`)
    .join("; ");
