// The mistakes under the text, as the command line shows them, each with its mends. In: problems. Out: the list.

import type { Problem } from "../messages.ts";
import { find, make } from "./dom.ts";

export interface Problems {
  readonly show: (problems: readonly Problem[]) => void;
  /** What no place in the text is to blame for. */
  readonly fail: (message: string) => void;
}

/** `go`: the place of one was clicked; `mend`: one of its mends. */
export function openProblems(
  go: (problem: Problem) => void,
  mend: (fix: Problem["fixes"][number]) => void,
): Problems {
  const into = find("problems");
  const entry = (problem: Problem): HTMLElement => {
    const picture = make("pre", {}, problem.picture);
    const there = make("button", { type: "button" }, "Go there");
    there.addEventListener("click", () => go(problem));
    const fixes = problem.fixes.slice(0, 3).map((fix) => {
      const button = make("button", { type: "button", class: "fix" }, ...codeIn(fix.title));
      button.addEventListener("click", () => mend(fix));
      return button;
    });
    return make(
      "article",
      { class: problem.severity },
      picture,
      make("div", { class: "tools" }, there, ...fixes),
    );
  };
  return {
    show(problems) {
      into.hidden = problems.length === 0;
      into.replaceChildren(...problems.slice(0, 20).map(entry));
      if (problems.length > 20)
        into.append(make("p", { class: "note" }, `… and ${problems.length - 20} more`));
    },
    fail(message) {
      into.hidden = false;
      into.replaceChildren(make("article", { class: "error" }, make("pre", {}, `error: ${message}`)));
    },
  };
}

const codeIn = (title: string): (Node | string)[] =>
  title.split(/`([^`]*)`/).map((part, i) => (i % 2 === 1 ? make("code", {}, part) : part));
