// Costs: what a model, or one definition in it, takes: parameters, those that work on one token, arithmetic per token. In: a host,
// the module whose models are asked, a definition. Out: Markdown, or nothing where no model uses it. It compiles the models down to
// their kernels, as `moe plan` does: only for hovers, in a worker.

import { costOf } from "../../cli/cost.ts";
import { count, flops, percent, whole } from "../../cli/numbers.ts";
import { activeShares, countParameters } from "../../cli/report/parameters.ts";
import { planModel } from "../../compiler/compile.ts";
import { elaborateModel, modelsOf } from "../../compiler/elaborate/model.ts";
import { GraphBuilder } from "../../compiler/graph-builder.ts";
import { hasErrors, type Host, type Model } from "../../compiler/model.ts";
import { loadModel } from "../../compiler/resolve.ts";
import { withDefaults } from "../../runtime/arena-plan.ts";
import type { Program, RouterInfo } from "../../runtime/program.ts";

/** A definition, by the module that declares it. */
export interface Costed {
  readonly module: string;
  readonly name: string;
}

interface Cost {
  readonly total: number;
  readonly active: number;
  /** Floating-point operations of the forward pass for one token. */
  readonly flops: number;
}

export function costsOf(host: Host, path: string, { module, name }: Costed): string | undefined {
  const model = loadModel(host, path);
  if (hasErrors(model.diagnostics)) return undefined;
  const lines = modelsOf(model).flatMap((definition) => {
    const asked = definition.name.text;
    const isItself = module === path && name === asked;
    const isOther = modelsOf(model).some((each) => each.name.text === name) && module === path;
    if (isOther && !isItself) return [];
    const paths = isItself ? [""] : pathsOf(model, asked, { module, name });
    if (paths.length === 0) return [];
    const { planned } = planModel({ host, path, model: asked });
    if (planned === undefined) return [];
    const { program } = planned;
    return isItself ? [modelLine(program)] : [partLine(program, asked, paths)];
  });
  return lines.length === 0 ? undefined : lines.join("\n\n");
}

/** Where the parameters of a definition's instances lie in a model. */
function pathsOf(model: Model, name: string, of: Costed): readonly string[] {
  const paths = new Set<string>();
  elaborateModel(model, name, {
    mode: "inference",
    builder: new GraphBuilder(),
    watch: {
      named: () => undefined,
      applied(_, __, { definition, module }, ___, path) {
        if (module.path === of.module && definition.name.text === of.name) paths.add(path);
      },
    },
  });
  return [...paths];
}

/** Experts of a token. */
const atMost = ({ width, experts }: RouterInfo): number => Math.min(width, experts);

function modelLine(program: Program): string {
  const { total, active } = countParameters(program, atMost);
  const { perToken, unit } = arithmetic(program, () => true);
  return `**Cost** ${sentence({ total, active, flops: perToken }, unit)}`;
}

function partLine(program: Program, name: string, paths: readonly string[]): string {
  const isInside = (tensor: string): boolean =>
    paths.some((path) => tensor === path || tensor.startsWith(`${path}.`));
  const shares = activeShares(program, atMost);
  let total = 0;
  let active = 0;
  for (const tensor of program.tensors) {
    if (tensor.role !== "parameter" || !isInside(tensor.name)) continue;
    const size = tensor.shape.reduce((product, length) => product * length, 1);
    total += size;
    active += size * (shares.get(tensor.name) ?? 1);
  }
  const { perToken, unit } = arithmetic(program, isInside);
  const places = [...new Set(paths.map((path) => path.replace(/\.\d+(?=\.|$)/g, ".*")))];
  const shown = places.slice(0, 3).map((place) => `\`${place}\``);
  const where = `${paths.length === 1 ? "" : `${paths.length} × `}${shown.join(", ")}${places.length > 3 ? ", ..." : ""}`;
  const cost = sentence({ total, active: Math.round(active), flops: perToken }, unit);
  return `**Cost** in \`${name}\` (${where}): ${cost}`;
}

function arithmetic(
  program: Program,
  counts: (path: string) => boolean,
): { readonly perToken: number; readonly unit: "token" | "example" } {
  const sizes = withDefaults(program);
  const length = program.modalities.find((modality) => modality.length !== undefined)?.length;
  const tokens = (sizes["B"] ?? 1) * (length === undefined ? 1 : (sizes[length] ?? 1));
  const forward = program.entries["forward"];
  if (forward === undefined) return { perToken: 0, unit: "token" };
  // A launch is named after the part of the model that it computes.
  const inside = {
    ...forward,
    dispatches: forward.dispatches.filter(({ label }) => counts(/^(.*?): /.exec(label)?.[1] ?? "")),
  };
  const only = { ...program, entries: { ...program.entries, forward: inside } };
  const { multiplyAdds } = costOf(only, "forward", sizes);
  return { perToken: (2 * multiplyAdds) / tokens, unit: length === undefined ? "example" : "token" };
}

const sentence = ({ total, active, flops: perToken }: Cost, unit: string): string =>
  [
    `${count(total)} parameters (${whole(total)})`,
    active === total
      ? `all active`
      : `${count(active)} active per ${unit} (${percent(total === 0 ? 1 : active / total)} at most)`,
    `${flops(perToken)} per ${unit} forward`,
  ].join(", ");
