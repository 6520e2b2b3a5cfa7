// Structure: which statements a kind of definition may hold, by the text alone. In: a definition. Out: diagnostics; whether the
// definition is worth elaborating.

import { error, type Diagnostic } from "../../grammar/diagnostic.ts";
import type { Definition, DefinitionKind, Statement } from "../../grammar/syntax.ts";
import type { LoadedModule } from "../model.ts";

/** Statements that belong to some kinds only. */
const places: Partial<Readonly<Record<Statement["node"], readonly DefinitionKind[]>>> = {
  choose: ["router"],
  weight: ["router"],
  capacity: ["router"],
  shared: ["moe"],
  routed: ["moe"],
  null: ["moe"],
  router: ["moe"],
  modality: ["model"],
  param: ["expert", "router", "moe", "layer", "chain", "model"],
  state: ["expert", "router", "moe", "layer", "chain", "model"],
};

const article = (kind: string): string => (/^[aeiou]/.test(kind) ? `an ${kind}` : `a ${kind}`);

export function checkStructure(
  definition: Definition,
  module: LoadedModule,
  diagnostics: Diagnostic[],
): boolean {
  let sound = true;
  const tell = (
    code: string,
    message: string,
    span: Statement["span"],
    label: string,
    help: string,
  ): void => {
    diagnostics.push(error(code, message, module.path, span, label, help));
    sound = false;
  };
  const bound = new Set<string>();
  const visit = (statements: readonly Statement[], nested: boolean): void => {
    for (const statement of statements) {
      if (statement.node === "bind") bound.add(statement.name.text);
      const kinds = places[statement.node];
      if (kinds !== undefined && !kinds.includes(definition.kind))
        tell(
          "M0215",
          `\`${statement.node}\` does not belong in ${article(definition.kind)}`,
          statement.span,
          `\`${definition.name.text}\` is ${article(definition.kind)}`,
          bound.has(statement.node)
            ? `\`${statement.node}\` begins a statement: give what is bound to it another name`
            : kinds.length === 1
              ? `move it into ${article(kinds[0]!)}`
              : "make it a layer",
        );
      else if (nested && statement.node === "modality")
        tell(
          "M0215",
          "a modality stands at the top of a model",
          statement.span,
          "inside a block",
          "move it out of the block",
        );
      if (statement.node === "repeat") visit(statement.body, true);
      if (statement.node === "if") {
        visit(statement.then, true);
        visit(statement.otherwise, true);
      }
    }
  };
  visit(definition.body, false);
  if (
    definition.kind === "router" &&
    definition.result !== undefined &&
    definition.result.element !== "gates"
  )
    tell(
      "M0216",
      `the router \`${definition.name.text}\` must return gates`,
      definition.result.span,
      "not gates",
      "write `-> gates[N]`",
    );
  if (
    definition.kind !== "router" &&
    definition.kind !== "function" &&
    definition.kind !== "layer" &&
    definition.result?.element === "gates"
  )
    tell(
      "M0216",
      `${article(definition.kind)} returns a tensor, not gates`,
      definition.result.span,
      "gates",
      "make it a router",
    );
  if (definition.kind === "model" && definition.inputs.length > 0)
    tell(
      "M0217",
      "a model has no inputs: what enters it are its modalities",
      definition.inputs[0]!.span,
      "an input",
      "write `modality text = tokens(vocab = 256)` in the body",
    );
  if (definition.kind !== "model" && definition.kind !== "function" && definition.inputs.length === 0)
    tell(
      "M0217",
      `${article(definition.kind)} needs an input`,
      definition.name.span,
      "no inputs",
      `write \`${definition.name.text}(x: [D]) -> [D]\``,
    );
  return sound;
}
