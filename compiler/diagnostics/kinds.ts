// Pages of M02: kinds of things: what may stand where.

import { inModel, page, type Page } from "./page.ts";

const withNorm = (statement: string): string => `
import std.norms { RMSNorm }
${inModel(statement).trimStart()}`;
const withExpert = (statement: string): string => `
import std.experts { Relu }
${inModel(statement).trimStart()}`;
const withRouter = (statement: string): string => `
import std.routers { TopK }
${inModel(statement).trimStart()}`;
const withPool = (statement: string): string => `
import std.experts { Relu }
import std.routers { TopK }
${inModel(statement).trimStart()}`;
const withScaled = (statement: string): string => `
layer Scaled(D)(x: [D], by: [] = 1) -> [D] { by * x }
${inModel(statement).trimStart()}`;

export const kindPages: readonly Page[] = [
  page(
    "M0201",
    "something that is no number where numbers are wanted",
    "Operators and functions take numbers and tensors. A layer or expert must be applied to its inputs first; of gates one reads a member.",
    withNorm("norm = RMSNorm(4)\nlogits = norm + x"),
    withNorm("norm = RMSNorm(4)\nlogits = norm(x) + x"),
  ),
  page(
    "M0202",
    "something that cannot be indexed",
    "Brackets name or pick the axes of a tensor.",
    withNorm("norm = RMSNorm(4)\nlogits = x + norm[0]"),
    withNorm("norm = RMSNorm(4)\nlogits = x + norm(x)[0]"),
  ),
  page(
    "M0203",
    "a tensor where a static is wanted",
    "Statics, in the first list or in braces, are known when the model is compiled: sizes, numbers, truth values, definitions; in braces schedules, too. Tensors are inputs and stand in the second list.",
    withNorm("logits = RMSNorm { epsilon = mean(x) }(x)"),
    withNorm("logits = RMSNorm { epsilon = 1e-5 }(x)"),
  ),
  page(
    "M0204",
    "a wrong number of arguments",
    "The signature says how many statics and inputs there are; inputs with a default may be left out. The arguments of built-in functions, and what a pool reads, are given by position.",
    withNorm("logits = RMSNorm(x, x)"),
    withNorm("logits = RMSNorm(x) + RMSNorm(x)"),
  ),
  page(
    "M0205",
    "something that cannot be called",
    "Experts, layers, routers, chains, functions and pools are called. Tensors and numbers are not; a model is a whole and no part of another.",
    inModel("logits = x(2)"),
    inModel("logits = x * 2"),
  ),
  page(
    "M0206",
    "a static that nobody gave",
    "A static gets its value from the call, from the sizes of the inputs, or from its default; this one from none of them.",
    withExpert("wide = Relu(4)\nlogits = wide(x)"),
    withExpert("wide = Relu(4, 8)\nlogits = wide(x)"),
  ),
  page(
    "M0207",
    "gates, or something else where gates are wanted",
    "A router returns gates, and `dispatch`, `combine` and inputs of type `gates[N]` take them.",
    withRouter("g = TopK { N = 4 }(x)\nlogits = combine(dispatch(x, x), g)"),
    withRouter("g = TopK { N = 4 }(x)\nlogits = combine(dispatch(x, g), g)"),
  ),
  page(
    "M0208",
    "a pool of something that is no expert",
    "A pool is written `SwiGLU(D, H) * 64`: experts (or layers) times a number; several kinds are added up.",
    withPool("other = Relu(4, 8)\npool = TopK * 4\nlogits = other(x)"),
    withPool("pool = Relu(4, 8) * 4\nlogits = pool(x) by TopK"),
  ),
  page(
    "M0209",
    "a number that must be known when the model is compiled",
    "Options of initialisers and schedules, and offsets of `previous`, are read when the model is compiled: numbers, statics and `dim`s.",
    inModel("param w: [4] = sum(x)\nlogits = x * w"),
    inModel("param w: [4] = 0.5\nlogits = x * w"),
  ),
  page(
    "M0210",
    "an initialiser that does not fit",
    "Initialisers are a number, `normal(deviation)`, `uniform(low, high)`, `orthogonal(gain)`, `identity()` and `copy(other)` of a parameter above; matrices only for orthogonal and identity.",
    inModel("param w: [4] = identity()\nlogits = x * w"),
    inModel("param w: [4, 4] = identity()\nlogits = x @ w"),
  ),
  page(
    "M0211",
    "a part of the model that is chosen by a tensor",
    "An `if` statement, and an `if` between definitions, decide what is part of the model, so their condition is static. Element by element one chooses with the expression `if ... then ... else ...`.",
    inModel("logits = x\nif x > 0 { logits = 2 * x }"),
    inModel("logits = if x > 0 then 2 * x else x"),
  ),
  page(
    "M0212",
    "a `repeat` without a number",
    "`repeat` makes copies of its body when the model is compiled, each with its own parameters.",
    inModel("logits = x\nrepeat 2.5 { logits = 2 * logits }"),
    inModel("logits = x\nrepeat 2 { logits = 2 * logits }"),
  ),
  page(
    "M0213",
    "a `dim` that is no number",
    "`dim` names a size or another number that is known when the model is compiled. A tensor is bound without `dim`.",
    inModel("dim twice = 2 * x\nlogits = twice"),
    inModel("twice = 2 * x\nlogits = twice"),
  ),
  page(
    "M0214",
    "a body without a result",
    "The last expression of a body is its result (or what its last statement binds).",
    "\nlayer Scale(D)(x: [D]) -> [D] {\n  param gain: [D] = 1\n}\n",
    "\nlayer Scale(D)(x: [D]) -> [D] {\n  param gain: [D] = 1\n  x * gain\n}\n",
  ),
  page(
    "M0215",
    "a statement in the wrong kind of definition",
    "`choose`, `weight` and `capacity` belong in a router; `shared`, `routed`, `null` and `router` in a moe; modalities in a model; a function has no parameters.",
    "\nfunction Scale(D)(x: [D]) -> [D] {\n  param gain: [D] = 1\n  x * gain\n}\n",
    "\nlayer Scale(D)(x: [D]) -> [D] {\n  param gain: [D] = 1\n  x * gain\n}\n",
  ),
  page(
    "M0216",
    "gates and tensors confused in a result type",
    "A router returns `gates[N]`; experts, moes, chains and models return tensors.",
    "\nrouter Best(D, N)(x: [D]) -> [N] {\n  param w: [D, N]\n  choose top 1 of x @ w\n}\n",
    "\nrouter Best(D, N)(x: [D]) -> gates[N] {\n  param w: [D, N]\n  choose top 1 of x @ w\n}\n",
  ),
  page(
    "M0218",
    "a model with too many parts",
    "Repeats and calls are written out when the model is compiled. A model of hundreds of thousands of statements is a mistake in a number, or a definition that never comes to an end.",
    inModel("logits = x\nrepeat 1000 {\n  repeat 1000 { logits = 2 * logits }\n}"),
    inModel("logits = x\nrepeat 10 {\n  repeat 10 { logits = 2 * logits }\n}"),
  ),
  page(
    "M0217",
    "a definition without inputs, or a model with some",
    "What enters a model are its modalities. Every other definition with parameters is a function of at least one input.",
    "\nlayer Table(D) {\n  param table: [D]\n  table\n}\n",
    "\nlayer Table(D)(x: [D]) -> [D] {\n  param table: [D]\n  x + table\n}\n",
  ),
  page(
    "M0219",
    "an input that is given twice",
    "Arguments without a name are the inputs in their order; a name gives an input that none of them is.",
    withScaled("logits = Scaled(x, 2, by = 3)"),
    withScaled("logits = Scaled(x, by = 3)"),
  ),
  page(
    "M0220",
    "a default that does not fit the type of its input",
    "A default is repeated to the type of its input: `[] = 1`, `[D] = 0`, `bool [N] = true`. Its own axes must be the last ones of that type, its elements of the declared kind.",
    "\nlayer Masked(D)(x: [D], there: bool [] = 1) -> [D] { if there then x else 0 }\n",
    "\nlayer Masked(D)(x: [D], there: bool [] = true) -> [D] { if there then x else 0 }\n",
  ),
];
