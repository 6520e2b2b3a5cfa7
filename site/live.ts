// Live programs of a page: a `moe` block after the comment `<!-- live -->` runs in the playground. In: Markdown, or such a block. Out: the
// program with the state that the playground opens it in; the block as HTML, with the model's drawing, a link, and a button that the
// page's script (client.ts) makes a playground of. The comment may say more: `<!-- live toy=spirals tab=plan -->`.

import { toyNames } from "../playground/src/data/toys.ts";
import { defaults, tabs, toLink, type State } from "../playground/src/page/state.ts";
import { hostOf } from "../playground/src/work/host.ts";
import { mainPath } from "../playground/src/messages.ts";
import { drawFile } from "./drawing.ts";
import type { Highlight } from "./highlight.ts";

/** Where the site has its playground. */
export const playgroundAt = "playground/index.html";

export interface Live {
  readonly program: string;
  readonly state: State;
}

/**
 * What the comment says, or undefined when the text is no such comment. On the CPU, so that everybody sees the numbers of the page.
 * @throws when it says what the playground does not have
 */
export function liveSettings(comment: string): Omit<State, "text"> | undefined {
  const [, said] = /^<!-- live((?: \w+=\w+)*) -->\s*$/.exec(comment) ?? [];
  if (said === undefined) return undefined;
  const given = Object.fromEntries(
    [...said.matchAll(/(\w+)=(\w+)/g)].map(([, name, value]) => [name!, value!]),
  );
  const { toy = defaults.toy, tab = "training", ...others } = given;
  const settings = {
    toy: toyNames.find((name) => name === toy),
    tab: tabs.find((name) => name === tab),
  };
  if (settings.toy === undefined || settings.tab === undefined || Object.keys(others).length > 0)
    throw new Error(`the playground knows nothing of ${comment.trim()}`);
  return { ...defaults, device: "cpu", toy: settings.toy, tab: settings.tab };
}

export const livePrograms = (markdown: string): readonly Live[] =>
  [...markdown.matchAll(/^(<!-- live.*-->)\n\n```moe\n([^]*?)^```/gm)].flatMap(([, comment, program]) => {
    const settings = liveSettings(comment!);
    return settings === undefined ? [] : [{ program: program!, state: { ...settings, text: program! } }];
  });

/** `up`: from the page to the root of the site. */
export function liveHtml({ program, state }: Live, up: string, highlight: Highlight): string {
  const picture = drawFile(hostOf(program), mainPath, "The model of this program.");
  if (picture === undefined) throw new Error(`a live program does not compile:\n${program}`);
  const link = toLink(state);
  const at = `${up}${playgroundAt}`;
  const [, name = ""] = /^model (\w+)/m.exec(program) ?? [];
  return `<figure class="live" data-program="${name}" data-playground="${at}" data-state="${link}">
<div class="live-bar"><span>${name}</span><button type="button" class="run" hidden>Run</button><a href="${at}#${link}">Open in the playground</a></div>
<pre class="moe-code"><code>${highlight(program)}</code></pre>
<div class="drawing">${picture.svg}</div>
</figure>
`;
}
