// Mistakes: all that is wrong with the modules of a model before any number is known, in one run. In: a loaded model, and the
// host that has its texts. Out: diagnostics of parsing and resolving, then those of checking. One error for each cause: what
// checking says about a line that could not be read is left out. Builds no model with numbers: that is elaboration's.

import type { Diagnostic } from "../../grammar/diagnostic.ts";
import type { Watch } from "../elaborate/elaboration.ts";
import type { Host, Model } from "../model.ts";
import { checkModel } from "./check.ts";

const unknownName = "M0101";
const unusedImport = "M0704";

export function mistakesIn(model: Model, host: Host, watch?: Watch): readonly Diagnostic[] {
  const lineOf = ({ at }: Diagnostic): string => {
    const text = host.read(at.module) ?? "";
    return `${at.module}:${text.slice(0, at.span.start).split("\n").length}`;
  };
  const errors = model.diagnostics.filter(({ severity }) => severity === "error");
  const spoilt = new Set(errors.map(lineOf));
  /** What a definition lacks (its choice, its result) is said at its name: it may be what could not be read. */
  const lacks = ({ at }: Diagnostic): boolean =>
    model.modules
      .get(at.module)
      ?.syntax.declarations.some(
        (declaration) =>
          declaration.node === "definition" &&
          declaration.name.span.start === at.span.start &&
          errors.some(
            (each) =>
              each.at.module === at.module &&
              each.at.span.start >= declaration.span.start &&
              each.at.span.end <= declaration.span.end,
          ),
      ) === true;
  const checked = checkModel(model, watch).filter(
    (diagnostic) => !spoilt.has(lineOf(diagnostic)) && !lacks(diagnostic),
  );
  /** Where a name is unknown, what seems unused may be what was meant. */
  const mistyped = new Set(checked.filter(({ code }) => code === unknownName).map(({ at }) => at.module));
  return [
    ...model.diagnostics.filter(({ code, at }) => code !== unusedImport || !mistyped.has(at.module)),
    ...checked,
  ];
}
