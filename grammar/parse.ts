// parse: a module's text -> Syntax and diagnostics. It never throws and takes time linear in the text: what cannot be read
// is reported (M00xx) and left out or `broken`, and the rest is read. Names, kinds and sizes are not looked at here.

import { error, type Diagnostic } from "./diagnostic.ts";
import { layOut, type Layout } from "./layout.ts";
import { diagnosticLimit } from "./parse-base.ts";
import { moduleParser, type Parsed } from "./parse-modules.ts";
import type { Comment, Module, Span } from "./syntax.ts";
import { linesOf } from "./text.ts";

export interface Parse {
  readonly module: Module;
  readonly diagnostics: Diagnostic[];
}

export function parse(text: string, module: string): Parse {
  return parseLayout(layOut(text), text, module);
}

type Read = (layout: Layout, text: string, module: string) => Parsed;
const readWhole: Read = (layout, text, module) => moduleParser().read(layout, text, module);

/** The formatter needs the comments that are no part of Syntax too. `read`: the parser, or what remembers what it read before. */
export function parseLayout(layout: Layout, text: string, module: string, read: Read = readWhole): Parse {
  const { imports, declarations, diagnostics } = read(layout, text, module);
  const all = onePerCause(
    [...ofCharacters(layout, text, module), ...ofBrackets(layout, module)],
    diagnostics,
    text,
  );
  const isComment = ({ text }: Comment): boolean => !text.startsWith("///");
  return {
    module: {
      imports,
      declarations,
      comments: layout.comments.filter(isComment),
      ...(layout.doc === undefined ? {} : { doc: layout.doc }),
      span: { start: 0, end: text.length },
    },
    diagnostics: all
      .sort((a, b) => a.at.span.start - b.at.span.start || a.at.span.end - b.at.span.end)
      .slice(0, diagnosticLimit),
  };
}

/** A strange character or a lost bracket breaks the statement that it stands in: what else is wrong on its line follows from that. */
function onePerCause(first: readonly Diagnostic[], then: readonly Diagnostic[], text: string): Diagnostic[] {
  if (first.length === 0) return [...then];
  const lineAt = linesOf(text);
  const kept = new Map<string, Diagnostic>();
  const spoilt = new Set<number>();
  for (const diagnostic of first) {
    const { start, end } = diagnostic.at.span;
    // A string that does not end has swallowed the closing brackets of its line.
    if (diagnostic.code === "M0003" && kept.has(`${lineAt(start)} M0002`)) continue;
    const key = `${lineAt(start)} ${diagnostic.code}`;
    if (!kept.has(key)) kept.set(key, diagnostic);
    // An open `{` spoils no line: its statement is read to the place where the `}` was put.
    if (text.slice(start, end) !== "{") spoilt.add(lineAt(start));
  }
  const follows = ({ code, at }: Diagnostic): boolean =>
    code === "M0005" && spoilt.has(lineAt(at.span.start));
  return [...kept.values(), ...then.filter((diagnostic) => !follows(diagnostic))];
}

/** What people of other languages type, and how it is written here. */
const advice: readonly (readonly [string, string])[] = [
  [";", "remove it: a newline ends a statement"],
  ["&&", "write `and`"],
  ["||", "write `or`"],
  ["!", "write `not`"],
  ["%", "write `mod(a, b)`; `5%` with the sign directly after the number is 0.05"],
  ["#", "write `//` before a comment"],
  ["'", "write strings in double quotes"],
  ["`", "write strings in double quotes"],
  ["\\", "remove it: inside ( ) and [ ] and after an operator a statement goes on by itself"],
];

function ofCharacters(
  { strange, openStrings, glued }: Layout,
  text: string,
  module: string,
): readonly Diagnostic[] {
  const say = (code: string, message: string, span: Span, label: string, help: string): Diagnostic =>
    error(code, message, module, span, label, help);
  return [
    ...strange.map((span) => {
      const shown = text.slice(span.start, span.end);
      const help = advice.find(([start]) => shown.startsWith(start))?.[1];
      return say(
        "M0001",
        `unexpected ${describeCharacters(shown)}`,
        span,
        "no part of the language",
        help ?? "remove it; names are spelt with the letters a to z, digits and `_`",
      );
    }),
    ...openStrings.map((span) =>
      say("M0002", "this string does not end", span, "no closing quote on this line", 'close it with `"`'),
    ),
    ...glued.map((span) =>
      say(
        "M0016",
        `\`${text.slice(span.start, span.end)}\` is neither a number nor a name`,
        span,
        "a number runs into a name",
        "put an operator between the two, or begin the name with a letter",
      ),
    ),
  ];
}

function describeCharacters(shown: string): string {
  const [first = ""] = shown;
  if (shown.length > 20 || !/^[\P{C}]+$/u.test(shown))
    return `character U+${first.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0")}`;
  return `\`${shown}\``;
}

function ofBrackets({ brackets }: Layout, module: string): readonly Diagnostic[] {
  return brackets.map(({ problem, token, closer, at }) => {
    const span = { start: token.startOffset, end: token.startOffset + 1 };
    if (problem === "stray")
      return {
        ...error(
          "M0004",
          `\`${closer}\` closes nothing`,
          module,
          span,
          "nothing is open here",
          "remove it, or open its bracket before",
        ),
        fix: { span, text: "", safe: false },
      };
    return {
      ...error(
        "M0003",
        `\`${token.image}\` is never closed`,
        module,
        span,
        "opened here",
        `close it with \`${closer}\``,
      ),
      fix: { span: { start: at, end: at }, text: closer, safe: false },
    };
  });
}
