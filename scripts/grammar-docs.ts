// docs/grammar.md and its railroad diagrams, made from the parser's own grammar, so that they cannot disagree with it.
// In: the rules of grammar/parse-*.ts. Out: the text of every file. A test compares; mend with
// `npx vitest run test/grammar-docs.test.ts --update`.

import { type ISerializedGast } from "chevrotain";
import { moduleParser } from "../grammar/parse-modules.ts";
import { railroad, type Track } from "./railroad.ts";

interface Gast {
  readonly type: string;
  readonly name?: string;
  readonly label?: string;
  readonly definition?: readonly Gast[];
  readonly separator?: Gast;
}

/** Rules in the order of the page, with what is said about each. */
const sections: readonly (readonly [string, readonly (readonly [string, string])[]])[] = [
  [
    "Modules",
    [
      ["file", "A file is a module. Its declarations may stand in any order, each on lines of its own."],
      ["item", ""],
      ["imports", "Names from the standard library, or from a file beside this one."],
      ["path", ""],
      [
        "definition",
        "With one list, its entries are inputs if they have types, else statics. With two, statics come first.",
      ],
      ["entries", ""],
      ["entry", "A static may have a default, an input has a type and may have one, too."],
      ["type", "Without a word: a tensor of numbers. `[]` is a scalar."],
      ["topDim", ""],
    ],
  ],
  [
    "Statements",
    [
      ["block", ""],
      ["statement", "A statement ends with its line, at `}` or at the end of the file."],
      ["mode", "The statement exists in that mode only."],
      [
        "form",
        "A line that begins with a name and an assignment is a binding, whatever the name; else the first word decides.",
      ],
      ["bind", ""],
      ["binders", "An index with `:` has its range given."],
      ["dim", ""],
      ["named", ""],
      ["tensor", ""],
      ["modality", ""],
      ["loss", ""],
      ["metric", ""],
      ["after", ""],
      ["repeat", "In the header `{` opens the body; options stand in parentheses there."],
      [
        "branch",
        "The same holds for this header. With `then` behind the condition, the line is an expression.",
      ],
      ["elseIf", ""],
      ["result", "The last expression of a body is its result."],
    ],
  ],
  [
    "Routers and pools",
    [
      ["choose", ""],
      ["choice", ""],
      ["top", ""],
      ["grouping", ""],
      ["groupScore", ""],
      ["until", "The expression before `by` is a comparison with `>` or `>=`."],
      ["where", ""],
      ["atMost", ""],
      ["scope", ""],
      ["weight", ""],
      ["capacity", ""],
      ["inGroups", ""],
      ["drop", ""],
      ["shared", ""],
      ["routed", ""],
      ["weighted", ""],
      ["nothing", ""],
      ["router", ""],
    ],
  ],
  [
    "Expressions",
    [
      ["expression", ""],
      ["value", ""],
      ["conditional", ""],
      ["operation", "Which operator binds tighter is in the table above."],
      ["operand", ""],
      ["postfix", "`by` needs a call before it."],
      ["primary", ""],
      ["arguments", ""],
      ["argument", ""],
      ["options", ""],
      ["indices", ""],
    ],
  ],
  [
    "Training",
    [
      ["train", ""],
      ["settings", ""],
      ["setting", "A phase holds no phases."],
      ["data", ""],
      ["batch", ""],
      ["optimizer", ""],
      ["evaluate", ""],
      ["checkpoint", ""],
      ["stop", ""],
      ["freeze", ""],
      ["rates", ""],
      ["trained", ""],
      ["begin", ""],
      ["source", ""],
      ["startRule", ""],
      ["phase", ""],
      ["number", ""],
    ],
  ],
];

const preface = `# The grammar

Made from the parser's own grammar by \`scripts/grammar-docs.ts\`; what the forms mean is in [language.md](language.md). In the diagrams, round
boxes are written as they stand, square ones are rules on this page.

## Words and signs

- **Newlines** end a statement, except inside \`( )\` and \`[ ]\`, after an operator, a comma, \`:\`, \`->\` or \`{\`, and before \`}\`, \`then\` and \`else\`.
- **Comments** go from \`//\` to the end of the line. \`///\` lines directly above a declaration or a statement document it; those at the top of a
  file that a blank line separates from the first declaration document the module.
- **Names** are spelt with \`a\` to \`z\`, \`A\` to \`Z\`, digits and \`_\`, and do not begin with a digit. Only \`and\`, \`or\`, \`not\`, \`if\`, \`then\` and \`else\`
  are never names: every other word of the language is one wherever its own meaning does not fit.
- **Numbers** are \`64\`, \`0.5\`, \`1e-3\`; a \`%\` directly behind the digits divides by 100: \`5%\`.
- **Strings** stand between double quotes on one line; nothing is escaped in them.
- **Depth**: brackets, blocks and \`if\` may stand 64 deep, and one expression may have 250 levels.

## Precedence

From loose to tight:

| form | groups |
|---|---|
| \`x as [T]\` | to the left |
| \`if c then a else b\` | to the right |
| \`or\` | to the left |
| \`and\` | to the left |
| \`not\` | |
| \`<\` \`<=\` \`>\` \`>=\` \`==\` \`!=\` | do not chain |
| \`+\` \`-\` | to the left |
| \`*\` \`/\` \`@\` | to the left |
| \`-x\` | |
| \`^\` | to the right |
| \`f(x)\` \`F { k = 2 }\` \`x[i]\` \`x.y\` \`f(x) by R\` | to the left |
`;

const assignments = ["=", "+=", "-=", "*="].map(wordOf);

function wordOf(text: string): Track {
  return { track: "word", text };
}

function trackOf(gast: Gast): Track {
  const inner = (): Track => sequenceOf(gast.definition ?? []);
  const separator = (): Track => trackOf(gast.separator!);
  switch (gast.type) {
    case "Terminal":
      return terminal(gast);
    case "NonTerminal":
      return { track: "rule", text: gast.name! };
    case "Alternation":
      return { track: "choice", items: gast.definition!.map((one) => sequenceOf(one.definition!)) };
    case "Option":
      return { track: "option", item: inner() };
    case "Repetition":
      return { track: "option", item: { track: "loop", item: inner() } };
    case "RepetitionMandatory":
      return { track: "loop", item: inner() };
    case "RepetitionWithSeparator":
      return { track: "option", item: { track: "loop", item: inner(), separator: separator() } };
    case "RepetitionMandatoryWithSeparator":
      return { track: "loop", item: inner(), separator: separator() };
    default:
      return inner();
  }
}

function terminal({ name, label }: Gast): Track {
  if (name === "Assign") return { track: "choice", items: assignments };
  if (label?.startsWith("`") === true) return wordOf(label.slice(1, -1));
  return {
    track: "rule",
    text:
      name === "Infix" ? "operator" : name === "Newline" ? "newline" : (label ?? name!).replace(/^an? /, ""),
  };
}

function sequenceOf(items: readonly Gast[]): Track {
  const tracks = items.map(trackOf);
  return tracks.length === 1 ? tracks[0]! : { track: "sequence", items: tracks };
}

/** `"top" expression ("of" expression)?` */
function notation(track: Track, inside = false): string {
  switch (track.track) {
    case "word":
      return `"${track.text}"`;
    case "rule":
      return track.text;
    case "sequence": {
      const text = track.items.map((item) => notation(item, true)).join(" ");
      return text;
    }
    case "choice": {
      const text = track.items.map((item) => notation(item)).join(" | ");
      return inside ? `(${text})` : text;
    }
    case "option":
      return track.item.track === "loop" && track.item.separator === undefined
        ? `${grouped(track.item.item)}*`
        : `${grouped(track.item)}?`;
    case "loop":
      return track.separator === undefined
        ? `${grouped(track.item)}+`
        : `${notation(track.item, true)} (${notation(track.separator)} ${notation(track.item, true)})*`;
    default:
      return track satisfies never;
  }
}

const grouped = (track: Track): string =>
  track.track === "word" || track.track === "rule" ? notation(track) : `(${notation(track)})`;

/** The files of the page by their path below docs/. */
export function grammarFiles(): ReadonlyMap<string, string> {
  const rules = new Map(
    moduleParser()
      .getSerializedGastProductions()
      .map((rule) => [ruleName(rule), trackOf(rule as Gast)]),
  );
  const files = new Map<string, string>();
  const page = [preface];
  for (const [title, names] of sections) {
    page.push(`## ${title}\n`);
    for (const [name, note] of names) {
      const track = rules.get(name);
      if (track === undefined) throw new Error(`internal: the grammar has no rule \`${name}\``);
      rules.delete(name);
      const text = `${name} = ${notation(track)}`;
      files.set(`grammar/${name}.svg`, railroad(track, text));
      page.push(`### ${name}\n`);
      if (note !== "") page.push(`${note}\n`);
      page.push(`![${name}](grammar/${name}.svg)\n`, `    ${text}\n`);
    }
  }
  if (rules.size > 0) throw new Error(`internal: the page lacks ${[...rules.keys()].join(", ")}`);
  return files.set("grammar.md", page.join("\n"));
}

const ruleName = (rule: ISerializedGast): string => (rule as Gast).name!;
