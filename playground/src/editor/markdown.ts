// The little Markdown that hovers are written in: code, emphasis, paragraphs. In: text. Out: elements; nothing is taken as markup.

import { make } from "../page/dom.ts";

export function fromMarkdown(text: string): HTMLElement {
  const whole = make("div", { class: "told" });
  text.split(/```(?:moe)?\n([\s\S]*?)\n?```/).forEach((part, i) => {
    if (i % 2 === 1) whole.append(make("pre", {}, part));
    else
      for (const paragraph of part.split(/\n{2,}/))
        if (paragraph.trim() !== "") whole.append(make("p", {}, ...inline(paragraph.trim())));
  });
  return whole;
}

function inline(text: string): (Node | string)[] {
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*\s][^*]*\*)/).map((part) => {
    if (part.startsWith("`") && part.length > 2) return make("code", {}, part.slice(1, -1));
    if (part.startsWith("**") && part.length > 4) return make("strong", {}, part.slice(2, -2));
    if (part.startsWith("*") && part.length > 2) return make("em", {}, part.slice(1, -1));
    return part;
  });
}
