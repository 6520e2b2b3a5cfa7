// Costs: what a definition takes in the models of a text, as the language server says it. In: questions. Out: Markdown, kept as long as
// the text is as it was.

import { costsOf } from "../../../editor/features/costs.ts";
import { mainPath, type CostAsked } from "../messages.ts";
import { hostOf } from "./host.ts";

let last = "";
const known = new Map<string, string | undefined>();

export function answerCost({ text, of }: CostAsked): string | undefined {
  if (text !== last) known.clear();
  last = text;
  const key = `${of.module}#${of.name}`;
  if (!known.has(key)) known.set(key, costsOf(hostOf(text), mainPath, of));
  return known.get(key);
}
