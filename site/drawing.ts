// The drawing of an entry: how it routes, in a model of one layer, by the code of `moe graph`. In: an entry. Out: SVG, or nothing for
// formulas, which route nothing, and for what needs more than its tokens; then the page shows the drawing of an example.

import { place, drawPlaced } from "../cli/draw/model-picture.ts";
import { outline } from "../cli/draw/outline.ts";
import { drawing } from "../cli/draw/svg.ts";
import { planModel } from "../compiler/compile.ts";
import type { Host } from "../compiler/model.ts";
import { stdlib } from "../stdlib/sources.ts";
import type { Entry } from "./entries.ts";

export interface Picture {
  readonly svg: string;
  readonly width: number;
}

/** The model of a file, without what its entries launch. Undefined when it does not compile. */
export function drawFile(host: Host, path: string, about: string, model?: string): Picture | undefined {
  const { planned } = planModel({ host, path, ...(model === undefined ? {} : { model }) });
  const graph = planned?.graphs["forward"];
  if (planned === undefined || graph === undefined) return undefined;
  const placed = place(outline(planned.program, graph, planned.graphs["evaluate"]));
  const margin = 12;
  const [width, height] = [placed.width + 2 * margin, placed.height + 2 * margin];
  const { markup } = drawing(width, height, planned.program.name, about, drawPlaced(placed, margin, margin));
  // The site has the colours, so that they follow its theme.
  return { svg: markup.replace(/<style>[^]*?<\/style>/, ""), width };
}

/** Sizes that the statics of std are named by. */
const sizes: Readonly<Record<string, string>> = { D: "32", H: "64", N: "8", V: "256" };

export function drawEntry(entry: Entry): Picture | undefined {
  const sample = sampleOf(entry);
  if (sample === undefined) return undefined;
  const { module, name, kind } = entry;
  const others =
    kind === "router"
      ? "import std.experts { SwiGLU }"
      : kind === "expert"
        ? "import std.routers { TopK }"
        : "";
  const text = `import ${module} { ${name} }
${others}
${sample.declared}

model Sample {
  modality text = tokens(vocab = 256)
  param table: [256, 32]
  x = table[text]
  logits = ${sample.applied}(x) @ transpose(table)
  loss cross_entropy(logits, text.next)
}
`;
  const host: Host = { read: (path) => (path === "sample.moe" ? text : stdlib[path]) };
  return drawFile(host, "sample.moe", `How ${name} routes.`);
}

/** What is declared, and what is applied to tokens. */
function sampleOf({
  name,
  kind,
  definition,
  text,
}: Entry): { readonly declared: string; readonly applied: string } | undefined {
  const { inputs, statics } = definition;
  if (inputs.filter(({ value }) => value === undefined).length !== 1) return undefined;
  const open = statics.filter(({ value }) => value === undefined).map((each) => each.name.text);
  const experts = (routed: string, router: string): { declared: string; applied: string } => ({
    declared: `moe Experts(D)(x: [D]) -> [D] {\n  ${routed}\n  router ${router}\n}`,
    applied: "Experts(32)",
  });
  switch (kind) {
    case "router": {
      // The bucket of nulls shows only where there are some; D and N come from the pool.
      const nulls = /\bis_null\b/.test(text) ? "\n  null zero * 4" : "";
      const options = open.filter((each) => each !== "D" && each !== "N").map((each) => `${each} = 2`);
      const given = options.length === 0 ? "" : ` { ${options.join(", ")} }`;
      return experts(`routed SwiGLU(D, D) * 16${nulls}`, `${name}${given}`);
    }
    case "expert":
      return experts(`routed ${name}(D, 2 * D) * 8`, "TopK");
    case "layer":
    case "moe":
    case "chain": {
      const given = open.map((each) => sizes[each] ?? "8");
      return { declared: "", applied: `${name}(${given.join(", ")})` };
    }
    default:
      return undefined;
  }
}
