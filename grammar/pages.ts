// Pages: what `moe explain CODE` says about each error of syntax. Data only: a test checks that every failing program raises
// exactly its code, that every fixed one raises nothing, and that no code of the grammar lacks a page.

export interface Page {
  readonly code: string;
  readonly title: string;
  readonly explanation: string;
  readonly failing: string;
  readonly fixed: string;
}

const inside = (line: string): string => `layer Block(D)(x: [D]) -> [D] {\n  ${line}\n}\n`;

export const syntaxPages: readonly Page[] = [
  {
    code: "M0001",
    title: "unexpected character",
    explanation:
      "The character belongs to no word or sign of the language. Names are spelt with the letters a to z, digits and `_`; a newline ends a statement, so there are no semicolons; `and`, `or` and `not` are words; comments begin with `//`.",
    failing: inside("x = x + 1;"),
    fixed: inside("x = x + 1"),
  },
  {
    code: "M0002",
    title: "a string does not end",
    explanation: "A string stands on one line and ends with a double quote. There are no escapes in it.",
    failing: 'train Small {\n  data text = bytes("corpus/*.txt)\n}\n',
    fixed: 'train Small {\n  data text = bytes("corpus/*.txt")\n}\n',
  },
  {
    code: "M0003",
    title: "a bracket is never closed",
    explanation:
      "An open ( or [ is taken to end with its line, an open { where the next declaration begins at the margin, so that what follows can be read.",
    failing: inside("relu(x"),
    fixed: inside("relu(x)"),
  },
  {
    code: "M0004",
    title: "a closing bracket closes nothing",
    explanation: "Nothing that it could close is open. It is left out, and reading goes on.",
    failing: inside("relu(x))"),
    fixed: inside("relu(x)"),
  },
  {
    code: "M0005",
    title: "something else was expected",
    explanation:
      "The statement cannot go on like this. It is left out, names that it would have bound stay known, and the next statement is read. A newline ends a statement except inside ( ) and [ ] and after an operator or a comma.",
    failing: inside("choose top 2 score"),
    fixed: inside("choose top 2 of score"),
  },
  {
    code: "M0006",
    title: "a word is misspelt",
    explanation:
      "A line begins with one of the language's words, and a word that is nearly one is taken for it, so that the rest of the line can be read.",
    failing: inside("parm gain: [D] = 1"),
    fixed: inside("param gain: [D] = 1"),
  },
  {
    code: "M0007",
    title: "nested too deeply",
    explanation:
      "Brackets, blocks and `if` may stand 64 deep, and one expression may have 250 levels, a row of operators counting one for each. Give a part of it a name.",
    failing: inside(`${"(".repeat(70)}x${")".repeat(70)}`),
    fixed: inside("y = (x)\n  (y)"),
  },
  {
    code: "M0008",
    title: "a word of the language as a name",
    explanation:
      "`and`, `or`, `not`, `if`, `then` and `else` are never names. Every other word of the language may be one.",
    failing: inside("param not: [D]"),
    fixed: inside("param gate: [D]"),
  },
  {
    code: "M0009",
    title: "comparisons do not chain",
    explanation: "`a < b < c` would compare a truth value with `c`. Join two comparisons with `and`.",
    failing: inside("if 0 < D < 8 then x else 2 * x"),
    fixed: inside("if 0 < D and D < 8 then x else 2 * x"),
  },
  {
    code: "M0010",
    title: "`not` after an operator that binds tighter",
    explanation:
      "`not` binds looser than a comparison or a sum, so that `not a > b` needs no parentheses. After such an operator it does.",
    failing: inside("if training == not inference then x else 2 * x"),
    fixed: inside("if training == (not inference) then x else 2 * x"),
  },
  {
    code: "M0011",
    title: "`by` without a call",
    explanation:
      "`by` says which router an application of a pool uses, so it stands behind the application: `pool(x) by TopK { k = 2 }`.",
    failing: inside("pool by TopK { k = 2 }"),
    fixed: inside("pool(x) by TopK { k = 2 }"),
  },
  {
    code: "M0012",
    title: "a number is too large",
    explanation: "Numbers are held in double precision, up to about 1.8e308. Infinity is written `inf`.",
    failing: inside("x + 1e999"),
    fixed: inside("x + inf"),
  },
  {
    code: "M0013",
    title: "`until` needs a sum and its limit",
    explanation:
      "`choose until sum(p) > 0.4 by p` takes the best experts by `p` until the sum passes the limit; the one that crosses is in. With `>=` it stops when the limit is reached.",
    failing: inside("choose until sum(p) by p"),
    fixed: inside("choose until sum(p) > 0.4 by p"),
  },
  {
    code: "M0014",
    title: "an input stands among the statics",
    explanation:
      "Statics (sizes, numbers, definitions) stand in the first list, inputs with their types in the second. A definition with inputs only has one list.",
    failing: "layer Block(D, x: [D])(y: [D]) -> [D] {\n  x + y\n}\n",
    fixed: "layer Block(D)(x: [D], y: [D]) -> [D] {\n  x + y\n}\n",
  },
  {
    code: "M0015",
    title: "an input needs a type",
    explanation:
      "The type says for what the definition is written: `[D]` for one token, `[T, D]` for a sequence.",
    failing: "layer Block(D)(x) -> [D] {\n  x\n}\n",
    fixed: "layer Block(D)(x: [D]) -> [D] {\n  x\n}\n",
  },
  {
    code: "M0016",
    title: "a number runs into a name",
    explanation: "A name begins with a letter or `_`, and a product is written with `*`: `2 * x`.",
    failing: inside("2x"),
    fixed: inside("2 * x"),
  },
  {
    code: "M0017",
    title: "an input without a default behind one with a default",
    explanation:
      "Inputs are left out from the right, so that those without a default stand first: `layer Block(D)(x: [D], y: [D] = 0)`.",
    failing: "layer Block(D)(x: [D] = 0, y: [D]) -> [D] {\n  x + y\n}\n",
    fixed: "layer Block(D)(y: [D], x: [D] = 0) -> [D] {\n  x + y\n}\n",
  },
];
