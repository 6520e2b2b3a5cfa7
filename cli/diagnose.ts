// Diagnose: everything that is wrong with one file. In: sources and a module's path. Out: diagnostics, in order of place.
// Definitions are checked with symbolic sizes; when they are well, every model of the file is compiled, because some
// mistakes only show with numbers (eight picks among six experts).

import { checkModel } from "../compiler/check/check.ts";
import { planModel } from "../compiler/compile.ts";
import { definitionsOf, hasErrors, type Host } from "../compiler/model.ts";
import { loadModel } from "../compiler/resolve.ts";
import type { Diagnostic } from "../grammar/diagnostic.ts";

export function diagnose(host: Host, path: string): readonly Diagnostic[] {
  const model = loadModel(host, path);
  const found = [...model.diagnostics];
  if (!hasErrors(found)) found.push(...checkModel(model));
  if (!hasErrors(found))
    for (const { kind, name } of definitionsOf(model.main))
      if (kind === "model") found.push(...planModel({ host, path, model: name.text }).diagnostics);
  const seen = new Set<string>();
  return found.filter((diagnostic) => {
    const key = JSON.stringify([diagnostic.code, diagnostic.message, diagnostic.at]);
    return !seen.has(key) && seen.add(key);
  });
}
