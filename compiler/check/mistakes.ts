// Mistakes: all that is wrong with the modules of a model before any number is known, in one run. In: a loaded model, and the
// host that has its texts. Out: diagnostics of parsing and resolving, then those of checking. One error for each cause: what
// checking says about a line that could not be read is left out. Builds no model with numbers: that is elaboration's.

import type { Diagnostic } from "../../grammar/diagnostic.ts";
import type { Watch } from "../elaborate/elaboration.ts";
import type { Host, Model } from "../model.ts";
import { checkModel } from "./check.ts";

export function mistakesIn(model: Model, host: Host, watch?: Watch): readonly Diagnostic[] {
  const lineOf = ({ at }: Diagnostic): string => {
    const text = host.read(at.module) ?? "";
    return `${at.module}:${text.slice(0, at.span.start).split("\n").length}`;
  };
  const spoilt = new Set(model.diagnostics.filter(({ severity }) => severity === "error").map(lineOf));
  return [
    ...model.diagnostics,
    ...checkModel(model, watch).filter((diagnostic) => !spoilt.has(lineOf(diagnostic))),
  ];
}
