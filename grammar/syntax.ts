// Syntax: what the user wrote, with spans. Comments are kept beside it for the formatter; `///` comments are kept on the
// declaration or statement they stand before. Made by the reader, consumed by the formatter and by resolve.

/** Half-open range of offsets in a module's text. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Name {
  readonly text: string;
  readonly span: Span;
}

interface Located {
  readonly span: Span;
}

export interface Module extends Located {
  readonly imports: readonly Import[];
  readonly declarations: readonly Declaration[];
  /** `//` comments in order, for the formatter. */
  readonly comments: readonly Comment[];
  /** `///` lines at the top of the file that a blank line separates from the first declaration. */
  readonly doc?: string;
}

export interface Comment extends Located {
  readonly text: string;
}

/** `import std.experts { SwiGLU }` or `import "./mine.moe" { Mine }`. */
export interface Import extends Located {
  /** `std.experts` or `./mine.moe`. */
  readonly from: string;
  readonly fromSpan: Span;
  readonly names: readonly Name[];
}

export type DefinitionKind = "expert" | "router" | "moe" | "layer" | "chain" | "function" | "model";

export type Declaration = Definition | DimDeclaration | TrainDeclaration;

/** `layer Block(D, H = 4 * D)(x: [T, D]) -> [T, D] { ... }` */
export interface Definition extends Located {
  readonly node: "definition";
  readonly kind: DefinitionKind;
  readonly name: Name;
  readonly doc?: string;
  readonly statics: readonly Static[];
  readonly inputs: readonly Input[];
  /** Absent: a model, or inferred. */
  readonly result?: Type;
  readonly body: readonly Statement[];
}

/** A static parameter: a size, a number, a truth value or a definition; known when the model is compiled. */
export interface Static extends Located {
  readonly name: Name;
  readonly value?: Expression;
}

/** A tensor, or gates: `x: [D]`; `there: [] = 1` may be left out, and is then what its default says. */
export interface Input extends Located {
  readonly name: Name;
  readonly type: Type;
  readonly value?: Expression;
}

/** `[T, D]`, `int [T]`, `bool []`, `gates[N]`. */
export interface Type extends Located {
  readonly element: "number" | "int" | "bool" | "gates";
  readonly axes: readonly Expression[];
}

/** `dim D = 256`, in a module or in a body. */
export interface DimDeclaration extends Located {
  readonly node: "dim";
  readonly name: Name;
  readonly value: Expression;
  readonly doc?: string;
}

/** `train Small { ... }` */
export interface TrainDeclaration extends Located {
  readonly node: "train";
  readonly model: Name;
  readonly doc?: string;
  readonly settings: readonly Setting[];
}

export type Setting = Located &
  (
    | { readonly setting: "data"; readonly modality: Name; readonly source: Expression }
    | { readonly setting: "batch"; readonly size: Expression; readonly length?: Expression }
    | { readonly setting: "optimizer"; readonly name: Name; readonly options: readonly Argument[] }
    | { readonly setting: "evaluate"; readonly every: Expression; readonly share?: Expression }
    | { readonly setting: "checkpoint"; readonly every: Expression }
    /** `stop after 5`: evaluations without improvement. */
    | { readonly setting: "stop"; readonly after: Expression }
    /** `freeze "embed*"` */
    | { readonly setting: "freeze"; readonly pattern: Expression }
    /** `rate "*.router.*" = 0.5`: a factor on the learning rate of the parameters whose names match. */
    | { readonly setting: "rate"; readonly pattern: Expression; readonly factor: Expression }
    /** `model Small { experts = 8 }`: another model of the file than the block names, or statics of it. */
    | { readonly setting: "model"; readonly name: Name; readonly options: readonly Argument[] }
    /** `start from "runs/teacher" { "teacher.*" = "*" }`; in a phase without sources: from the phase before. */
    | { readonly setting: "start"; readonly sources: readonly StartSource[]; readonly rules: readonly StartRule[] }
    /** `phase grown { steps 400 }`: settings that hold in one part of the run only. */
    | { readonly setting: "phase"; readonly name: Name; readonly settings: readonly Setting[] }
    /** steps, accumulate, clip, seed */
    | { readonly setting: "steps" | "accumulate" | "clip" | "seed"; readonly value: Expression }
  );

/** A checkpoint; of several, each has a name. */
export interface StartSource extends Located {
  readonly name?: Name;
  readonly path: Expression;
}

/** `"*.experts.*" = copy("*.ffn.*", noise = 0.01)`: tensors of this model, and where their values come from. */
export interface StartRule extends Located {
  readonly target: Expression;
  readonly value: Expression;
}

export type Mode = "training" | "inference";

/** `mode` is the suffix `in training` or `in inference`: the statement exists in that mode only. */
export type Statement = Located & { readonly mode?: Mode; readonly doc?: string } & StatementForm;

export type StatementForm =
  | { readonly node: "dim"; readonly name: Name; readonly value: Expression }
  | { readonly node: "param" | "state"; readonly name: Name; readonly type: Type; readonly init?: Expression }
  | { readonly node: "modality"; readonly name: Name; readonly value: Expression }
  /** `x = ...`, `score[h, t, s] = ...`, and in `after step`: `bias += ...`. */
  | {
      readonly node: "bind";
      readonly name: Name;
      readonly indices?: readonly IndexBinder[];
      readonly operator: "=" | "+=" | "-=" | "*=";
      readonly value: Expression;
    }
  | { readonly node: "choose"; readonly choice: Choice; readonly only?: Expression }
  | { readonly node: "weight"; readonly value: Expression }
  /** `capacity 1.25 * k * T / N per sequence drop lowest`, `capacity 2 * T in each of 8 groups drop lowest of max(p)` */
  | {
      readonly node: "capacity";
      readonly value: Expression;
      readonly groups?: Expression;
      readonly scope: "batch" | "sequence";
      readonly drop: "last" | "lowest";
      /** Who keeps a place: the highest. */
      readonly of?: Expression;
    }
  | { readonly node: "loss"; readonly name?: Name; readonly value: Expression }
  | { readonly node: "metric"; readonly name: Name; readonly value: Expression }
  | { readonly node: "after"; readonly body: readonly Statement[] }
  | { readonly node: "repeat"; readonly index?: Name; readonly count: Expression; readonly body: readonly Statement[] }
  | {
      readonly node: "if";
      readonly condition: Expression;
      readonly then: readonly Statement[];
      readonly otherwise: readonly Statement[];
    }
  /** `shared SwiGLU(D, H) * 2 weight 0.5` */
  | { readonly node: "shared"; readonly pool: Expression; readonly weight?: Expression }
  /** `routed SwiGLU(D, H) * 64 for text` */
  | { readonly node: "routed"; readonly pool: Expression; readonly modality?: Name; readonly weight?: Expression }
  | { readonly node: "null"; readonly kind: "zero" | "copy" | "constant"; readonly count?: Expression }
  /** `router TopK { k = 2 }`; with an argument list, the router reads that instead of the layer's input. */
  | { readonly node: "router"; readonly router: Expression }
  /** The last expression of a body is its result. */
  | { readonly node: "result"; readonly value: Expression };

/** One index on the left of a binding: its range may be given, `t: T`. */
export interface IndexBinder {
  readonly name: Name;
  readonly size?: Expression;
}

export type Choice = Located &
  (
    | { readonly form: "top"; readonly count: Expression; readonly score: Expression }
    | { readonly form: "each"; readonly count: Expression; readonly score: Expression; readonly groups: Expression }
    | {
        readonly form: "best";
        readonly count: Expression;
        readonly score: Expression;
        readonly best: Expression;
        readonly groups: Expression;
        /** `by sum(top 2 of q)`, `by max(q)` */
        readonly by: { readonly reduce: Name; readonly top?: Expression; readonly score: Expression };
      }
    /** `until sum(score) > 0.4 by score at most 4` */
    | {
        readonly form: "until";
        readonly summed: Expression;
        readonly strict: boolean;
        readonly threshold: Expression;
        readonly by: Expression;
        readonly most?: Expression;
      }
    /** `where score > 0 at most 4 by score` */
    | { readonly form: "where"; readonly condition: Expression; readonly most?: Expression; readonly by?: Expression }
    | { readonly form: "all" }
    /** `top C tokens of score for each expert per sequence` */
    | {
        readonly form: "tokens";
        readonly count: Expression;
        readonly score: Expression;
        readonly scope: "batch" | "sequence";
      }
    | { readonly form: "given"; readonly route: Expression }
  );

export interface Argument extends Located {
  readonly name?: Name;
  readonly value: Expression;
}

export type UnaryOperator = "-" | "not";
export type BinaryOperator =
  | "+" | "-" | "*" | "/" | "@" | "^" | "<" | "<=" | ">" | ">=" | "==" | "!=" | "and" | "or";

export type Expression = Located &
  (
    | { readonly node: "number"; readonly value: number }
    | { readonly node: "string"; readonly value: string }
    | { readonly node: "name"; readonly text: string }
    | { readonly node: "list"; readonly items: readonly Expression[] }
    | { readonly node: "unary"; readonly operator: UnaryOperator; readonly operand: Expression }
    | {
        readonly node: "binary";
        readonly operator: BinaryOperator;
        readonly left: Expression;
        readonly right: Expression;
      }
    | {
        readonly node: "if";
        readonly condition: Expression;
        readonly then: Expression;
        readonly otherwise: Expression;
      }
    /** `f(a, k = 2)`, `sum(x over c)` */
    | {
        readonly node: "call";
        readonly callee: Expression;
        readonly arguments: readonly Argument[];
        readonly over: readonly Name[];
      }
    /** `TopK { k = 2 }` */
    | { readonly node: "configure"; readonly callee: Expression; readonly options: readonly Argument[] }
    /** `q[t, h, c]`, `table[ids]`, `x[t, 0]` */
    | { readonly node: "index"; readonly of: Expression; readonly indices: readonly Expression[] }
    /** `text.next` */
    | { readonly node: "member"; readonly of: Expression; readonly name: Name }
    /** `pool(x) by TopK { k = 2 }` */
    | { readonly node: "by"; readonly of: Expression; readonly router: Expression }
    /** `x @ w as [T, heads, D / heads]` */
    | { readonly node: "as"; readonly of: Expression; readonly type: Type }
    /** Parentheses, kept for the formatter. */
    | { readonly node: "group"; readonly inner: Expression }
    /** What could not be read; an error has been reported. */
    | { readonly node: "broken" }
  );
