// The grammar of modules: imports, definitions and `dim`; `train` is in parse-train.ts.

import { tokenMatcher, type IToken } from "chevrotain";
import { spanOf, type Layout } from "./layout.ts";
import { stringValue } from "./parse-expressions.ts";
import { TrainParser } from "./parse-train.ts";
import type { Diagnostic } from "./diagnostic.ts";
import * as T from "./tokens.ts";
import type {
  Declaration,
  Definition,
  DefinitionKind,
  DimDeclaration,
  Expression,
  Import,
  Input,
  Name,
  Span,
  Static,
  Type,
} from "./syntax.ts";

type Item = { readonly import: Import } | { readonly declaration: Declaration } | undefined;

/** `D`, `k = 8`, `x: [D]` or `there: [] = 1`: which of them a list may hold is settled when the definition is read whole. */
interface Entry {
  readonly name: Name;
  readonly type?: Type;
  readonly value?: Expression;
  readonly span: Span;
}

export interface Parsed {
  readonly imports: readonly Import[];
  readonly declarations: readonly Declaration[];
  readonly diagnostics: readonly Diagnostic[];
}

export class ModuleParser extends TrainParser {
  private imported: Import[] = [];
  private declared: Declaration[] = [];

  constructor(checksGrammar = false) {
    super(checksGrammar);
    this.performSelfAnalysis();
  }

  read(layout: Layout, text: string, module: string): Parsed {
    this.input = [...layout.tokens];
    this.module = module;
    this.end = text.length;
    this.docs = layout.docs;
    this.noOptions = false;
    this.noBy = false;
    this.found = [];
    this.imported = [];
    this.declared = [];
    this.file();
    return { imports: this.imported, declarations: this.declared, diagnostics: this.found };
  }

  readonly file = this.RULE("file", (): void => {
    this.prepareDeclaration();
    this.MANY(() => {
      this.OR([
        { ALT: () => void this.CONSUME(T.Newline) },
        {
          ALT: () => {
            const item = this.SUBRULE(this.item);
            this.ACTION(() => {
              if (item === undefined) return;
              if ("import" in item) this.imported.push(item.import);
              else this.declared.push(item.declaration);
            });
          },
        },
      ]);
      this.prepareDeclaration();
    });
  });

  private prepareDeclaration(): void {
    this.mendWord(T.declarationWords, true);
    this.skipJunk((token) => T.declarationWords.some((type) => type === token.tokenType), "a declaration");
  }

  readonly item = this.RULE("item", (): Item => {
    return this.guarded(
      () => {
        const item = this.OR<Item>([
          { ALT: () => ({ import: this.SUBRULE(this.imports) }) },
          { ALT: () => ({ declaration: this.SUBRULE(this.definition) }) },
          { ALT: () => ({ declaration: this.SUBRULE(this.topDim) }) },
          { ALT: () => ({ declaration: this.SUBRULE(this.train) }) },
        ]);
        this.ACTION(() => this.expectEnd());
        return item;
      },
      () => undefined,
    );
  });

  readonly imports = this.RULE("imports", (): Import => {
    const start = this.start();
    this.CONSUME(T.Import);
    const source = this.OR([
      {
        ALT: () => {
          const token = this.CONSUME(T.StringLiteral);
          return { from: stringValue(token), fromSpan: spanOf(token) };
        },
      },
      { ALT: () => this.SUBRULE(this.path) },
    ]);
    const names: Name[] = [];
    this.CONSUME(T.LBrace);
    this.AT_LEAST_ONE_SEP({ SEP: T.Comma, DEF: () => void names.push(this.nameOf(this.CONSUME(T.Name))) });
    this.CONSUME(T.RBrace);
    return { ...source, names, span: this.from(start) };
  });

  readonly path = this.RULE("path", (): { readonly from: string; readonly fromSpan: Span } => {
    const start = this.start();
    const parts: string[] = [];
    this.AT_LEAST_ONE_SEP({ SEP: T.Dot, DEF: () => void parts.push(this.CONSUME(T.Name).image) });
    return { from: parts.join("."), fromSpan: this.from(start) };
  });

  readonly definition = this.RULE("definition", (): Definition => {
    const start = this.start();
    const doc = this.docs.get(start);
    const kind = this.OR(T.definitionWords.map((type) => ({ ALT: () => this.CONSUME(type) })));
    let name: Name = { text: "", span: this.from(start) };
    const lists: (readonly Entry[])[] = [];
    let result: Type | undefined;
    this.guardedHeader(() => {
      name = this.nameOf(this.CONSUME(T.Name));
      this.OPTION(() => {
        lists.push(this.SUBRULE(this.entries));
        this.OPTION2(() => lists.push(this.SUBRULE2(this.entries)));
      });
      result = this.OPTION3(() => {
        this.CONSUME(T.Arrow);
        return this.SUBRULE(this.type);
      });
      this.ACTION(() => this.expectBody("definition"));
    });
    const body = this.SUBRULE(this.block);
    return this.ACTION(() => ({
      node: "definition",
      kind: kind.image as DefinitionKind,
      name,
      ...(doc === undefined ? {} : { doc }),
      ...this.sortEntries(lists),
      ...(result === undefined ? {} : { result }),
      body,
      span: this.from(start),
    }));
  });

  readonly entries = this.RULE("entries", (): readonly Entry[] => {
    const entries: Entry[] = [];
    this.CONSUME(T.LParen);
    this.inBrackets(() =>
      this.MANY_SEP({ SEP: T.Comma, DEF: () => void entries.push(this.SUBRULE(this.entry)) }),
    );
    this.CONSUME(T.RParen);
    return entries;
  });

  readonly entry = this.RULE("entry", (): Entry => {
    const start = this.start();
    const name = this.nameOf(this.CONSUME(T.Name));
    const rest = this.OPTION(() =>
      this.OR<{ readonly type?: Type; readonly value?: Expression }>([
        {
          ALT: () => {
            this.CONSUME(T.Colon);
            const type = this.SUBRULE(this.type);
            const value = this.OPTION2(() => {
              this.CONSUME(T.Equals);
              return this.SUBRULE(this.expression);
            });
            return { type, ...(value === undefined ? {} : { value }) };
          },
        },
        {
          ALT: () => {
            this.CONSUME2(T.Equals);
            return { value: this.SUBRULE2(this.expression) };
          },
        },
      ]),
    );
    return { name, ...rest, span: this.from(start) };
  });

  /** One list holds inputs if its entries have types, else statics; of two, the first holds statics. */
  private sortEntries(lists: readonly (readonly Entry[])[]): Pick<Definition, "statics" | "inputs"> {
    const [first = [], second] = lists;
    const isInput = (entry: Entry): boolean => entry.type !== undefined;
    const [statics, inputs] =
      second !== undefined ? [first, second] : first.some(isInput) ? [[], first] : [first, []];
    for (const { span } of statics.filter(isInput))
      this.complain(
        "M0014",
        "an input stands among the statics",
        span,
        "has a type",
        "put inputs into the second list: `layer Name(D)(x: [D])`",
      );
    for (const { span } of inputs.filter((entry) => !isInput(entry)))
      this.complain(
        "M0015",
        "an input needs a type",
        span,
        "has none",
        "write `name: [D]`; statics stand in a list of their own before",
      );
    const optional = inputs.findIndex(({ value }) => value !== undefined);
    for (const { name, span } of inputs.slice(optional + 1).filter(({ value }) => value === undefined))
      if (optional >= 0)
        this.complain(
          "M0017",
          `\`${name.text}\` stands behind an input that may be left out`,
          span,
          "has no default",
          `give it a default, or put it before \`${inputs[optional]!.name.text}\``,
        );
    return {
      statics: statics.map(({ name, value, span }): Static => ({
        name,
        ...(value === undefined ? {} : { value }),
        span,
      })),
      inputs: inputs.map(({ name, type, value, span }): Input => ({
        name,
        type: type ?? { element: "number", axes: [{ node: "broken", span }], span },
        ...(value === undefined ? {} : { value }),
        span,
      })),
    };
  }

  readonly topDim = this.RULE("topDim", (): DimDeclaration => {
    const start = this.start();
    const doc = this.docs.get(start);
    const form = this.SUBRULE(this.dim);
    return { ...form, ...(doc === undefined ? {} : { doc }), span: this.from(start) };
  });
}

let parser: ModuleParser | undefined;

/** The one parser, made when it is first needed: analysing the grammar takes a few tens of milliseconds. */
export const moduleParser = (): ModuleParser => (parser ??= new ModuleParser());

export const isName = (token: IToken): boolean => tokenMatcher(token, T.Name);
