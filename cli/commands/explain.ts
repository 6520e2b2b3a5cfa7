// moe explain: the page of a code. In: a code as it stands in a message (`M0304`, `R0201`, `C0101`). Out: what it means, why,
// and how to mend it, with a failing and a fixed program where it is about the language; without a code, the list.

import { exitCodes, type ExitCode } from "../exit.ts";
import { UserError } from "../../runtime/errors.ts";
import { paintWith } from "../paint.ts";
import { pages, type Page } from "../pages.ts";
import type { Shell } from "../shell.ts";

export interface ExplainOptions {
  readonly json?: boolean;
}

export async function explain(
  shell: Shell,
  given: string | undefined,
  options: ExplainOptions,
): Promise<ExitCode> {
  const all = await pages();
  if (given === undefined) {
    if (options.json === true)
      shell.out(
        `${JSON.stringify(
          all.map(({ code, title }) => ({ code, title })),
          null,
          2,
        )}\n`,
      );
    else shell.out(list(all, shell.colour.out));
    return exitCodes.good;
  }
  // Copied with its brackets, or in small letters: both are meant.
  const code = given.toUpperCase().replace(/^(ERROR|WARNING)?\[?|[\]:]+$/g, "");
  const page = all.find((each) => each.code === code);
  if (page === undefined) {
    const near = all.filter((each) => each.code.slice(0, 3) === code.slice(0, 3)).slice(0, 3);
    throw new UserError("C0402", `there is no code ${given}`, {
      help:
        near.length === 0
          ? "`moe explain` lists every code"
          : `near it: ${near.map((each) => each.code).join(", ")}; \`moe explain\` lists every code`,
    });
  }
  shell.out(options.json === true ? `${JSON.stringify(page, null, 2)}\n` : print(page, shell.colour.out));
  return exitCodes.good;
}

/** Groups by the first letter and two digits, which say what a code is about. */
function list(all: readonly Page[], colour: boolean): string {
  const paint = paintWith(colour);
  const groups = new Map<string, Page[]>();
  for (const page of all) groups.set(page.group, [...(groups.get(page.group) ?? []), page]);
  return [...groups]
    .map(([group, members]) =>
      [paint.bold(group), ...members.map(({ code, title }) => `  ${paint.cyan(code)}  ${title}`), ""].join(
        "\n",
      ),
    )
    .join("\n");
}

function print({ code, title, text, failing, fixed }: Page, colour: boolean): string {
  const paint = paintWith(colour);
  const program = (head: string, source: string): string =>
    `\n${paint.bold(head)}\n\n${source
      .trimEnd()
      .split("\n")
      .map((line) => `    ${line}`.trimEnd())
      .join("\n")}\n`;
  return [
    `${paint.bold(`${code}: ${title}`)}\n\n${wrap(text, 80)}\n`,
    failing === undefined ? "" : program("Fails:", failing),
    fixed === undefined ? "" : program("Well:", fixed),
  ].join("");
}

/** Paragraphs broken at words. */
export function wrap(text: string, width: number): string {
  return text
    .split("\n")
    .map((paragraph) => {
      const lines: string[] = [];
      for (const word of paragraph.split(" ")) {
        const last = lines.at(-1);
        if (last !== undefined && last.length + 1 + word.length <= width)
          lines[lines.length - 1] = `${last} ${word}`;
        else lines.push(word);
      }
      return lines.join("\n");
    })
    .join("\n");
}
