// The text of a random program. In: its description (random-program.ts). Out: a module with one model and its recipe.
// Every number that it writes is bounded, so that values stay where f32 and double agree.

import type { Layer, RandomProgram, Routing, Segment, Vector } from "./random-program.ts";

/** Ids of [2, 3] tokens, all unlike: equal tokens would tie up to rounding wherever they compete. */
export const unlikeTokens: readonly number[] = [3, 0, 5, 1, 6, 2];

/** Declarations collect on the way. */
interface Writer {
  readonly definitions: string[];
  count: number;
}
const fresh = (writer: Writer, prefix: string): string => `${prefix}${writer.count++}`;

function vectorText(value: Vector, params: string[], writer: Writer): string {
  const text = (inner: Vector): string => vectorText(inner, params, writer);
  switch (value.form) {
    case "x":
      return "x";
    case "param": {
      const name = fresh(writer, "v");
      params.push(`param ${name}: [D]`);
      return name;
    }
    case "unary":
      // exp and square of a bounded value
      return value.fn === "exp" || value.fn === "square"
        ? `${value.fn}(tanh(${text(value.a)}))`
        : `${value.fn}(${text(value.a)})`;
    case "binary": {
      const [a, b] = [text(value.a), text(value.b)];
      if (value.fn === "max" || value.fn === "min") return `${value.fn}(${a}, ${b})`;
      if (value.fn === "/") return `(${a} / (1 + square(${b})))`;
      if (value.fn === "^") return `((0.5 + sigmoid(${a})) ^ tanh(${b}))`;
      return `(${a} ${value.fn} ${b})`;
    }
    case "scaled":
      return `(${text(value.a)} * tanh(${value.by.fn}(${text(value.by.of)})))`;
    case "if":
      return `(if ${text(value.test)} > 0.1 then ${text(value.a)} else ${text(value.b)})`;
    case "matrix": {
      const [left, right] = [fresh(writer, "m"), fresh(writer, "m")];
      params.push(`param ${left}: [D, ${value.inner}]`, `param ${right}: [${value.inner}, D]`);
      return `((${text(value.a)} @ ${left}) @ ${right})`;
    }
    default:
      return value satisfies never;
  }
}

const total = ({ segments, nulls }: Routing): number =>
  [...segments, ...nulls].reduce((sum, { count }) => sum + count, 0);

/** A definition of the router; returns what stands after `by`. */
function routerText(routing: Routing, writer: Writer): string {
  const n = total(routing);
  const name = fresh(writer, "Router");
  const k = Math.min(routing.k, n);
  const divisors = [1, 2, 3].filter((each) => n % each === 0);
  const groups = divisors[routing.groups % divisors.length]!;
  const inGroup = n / groups;
  const best = 1 + (routing.k % groups);
  const score = routing.state ? "p + bias" : "p";
  const choice = {
    top: `choose top ${k} of ${score}`,
    each: `choose top ${Math.min(k, inGroup)} of ${score} in each of ${groups} groups`,
    best: `choose top ${Math.min(k, inGroup * best)} of ${score} in the best ${best} of ${groups} groups by sum(top ${Math.min(2, inGroup)} of p)`,
    until: `choose until sum(p) > 0.6 by ${score}`,
    where: `choose where ${score} > 0.2`,
    "where most": `choose where ${score} > 0.1 at most ${k} by p`,
    all: "choose all",
    tokens: `choose top 2 tokens of ${score} for each expert per batch`,
    given: `choose given argmax(${score})`,
  }[routing.choice]!;
  // Without a score there is nothing to drop the lowest of, and a choice without one has its own weight.
  const scored = !["where", "where most", "all", "given"].includes(routing.choice);
  const capacity = routing.capacity.endsWith("lowest") && !scored ? "capacity 2" : routing.capacity;
  const lines = [
    "param w: [D, N]",
    ...(routing.score.includes("temperature") ? ["param temperature: [] = 1"] : []),
    ...(routing.state ? ["state bias: [N] = 0"] : []),
    "z = x @ w",
    `p = ${routing.score}`,
    `${choice}${routing.only ? " only where z > -0.5" : ""}`,
    ...(capacity === "" ? [] : [capacity]),
    ...(routing.weight === "" ? [] : [routing.weight]),
    ...(routing.balance
      ? [
          "loss balance = 0.1 * sum(load / (sum(load) + 1) * mean(softmax(z) over tokens))",
          "metric active = sum(chosen)",
        ]
      : []),
    ...(routing.state ? ["after step: bias += 0.1 * sign(mean(load) - load)"] : []),
  ];
  writer.definitions.push(`router ${name}(D, N)(x: [D]) -> gates[N] {\n  ${lines.join("\n  ")}\n}`);
  return name;
}

const expertText = ({ expert, count }: Segment): string =>
  `${expert === "SwiGLU" ? "SwiGLU(D, 3)" : `${expert}(D)`} * ${count}`;
const poolText = ({ segments, nulls }: Routing): string =>
  [...segments.map(expertText), ...nulls.map(({ kind, count }) => `${kind} * ${count}`)].join(" + ");

/** Definitions of one layer; returns the expression of its result for `x`. */
function layerText(layer: Layer, writer: Writer): string {
  const define = (kind: string, signature: string, body: readonly string[]): string => {
    const name = fresh(writer, "Layer");
    writer.definitions.push(`${kind} ${name}${signature} {\n  ${body.join("\n  ")}\n}`);
    return `${name}(x)`;
  };
  const token = "(D)(x: [D]) -> [D]";
  switch (layer.form) {
    case "expression": {
      const params: string[] = [];
      const value = vectorText(layer.value, params, writer);
      return define("layer", token, [...params, `x + tanh(${value})`]);
    }
    case "moe": {
      const { routing, shared, weight } = layer;
      const router = routerText(routing, writer);
      return define("moe", token, [
        ...(shared === 0 ? [] : [`shared Mix(D) * ${shared}${weight ? " weight 0.5" : ""}`]),
        ...routing.segments.map((segment) => `routed ${expertText(segment)}`),
        ...routing.nulls.map(({ kind, count }) => `null ${kind} * ${count}`),
        `router ${router}`,
      ]);
    }
    case "pool": {
      const applied = Array.from(
        { length: layer.times },
        () => `pool(x) by ${routerText(layer.routing, writer)}`,
      );
      return define("layer", token, [`pool = ${poolText(layer.routing)}`, `x + ${applied.join(" + ")}`]);
    }
    case "chain": {
      const router = routerText(layer.routing, writer);
      return define("chain", token, [
        `pool = ${poolText(layer.routing)}`,
        `repeat ${layer.repeat} {`,
        `  x = x + tanh(pool(x) by ${router})`,
        "}",
        "x",
      ]);
    }
    case "bare": {
      const router = routerText({ ...layer.routing, weight: "weight sigmoid(z)" }, writer);
      return define("layer", token, [
        `g = ${router} { N = ${total(layer.routing)} }(x)`,
        "x + 0.5 * combine(tanh(dispatch(x, g)), g) + 0.1 * sum(g.weight)",
      ]);
    }
    case "indices": {
      const bodies: readonly (readonly string[])[] = [
        [
          "param a: [D, 3]",
          "param b: [3, D]",
          "z[j] = sum(x[i] * a[i, k] * b[k, j] over i, k)",
          "x + tanh(z)",
        ],
        [
          "grid = x as [2, D / 2]",
          "param w: [2, D / 2]",
          "z[j, i] = grid[i, j] * w[i, j] + 0.1 * i - 0.2 * j",
          "x + (z as [D])",
        ],
        [
          "param w: [D, 3]",
          "z[i, j] = if j <= i then x[i] * w[i, j] else -0.5",
          "sums[i] = sum(z[i, j] over j)",
          "x + sums",
        ],
        ["param table: [3, D]", "place = argmax(x[0] * table[0] + table[1])", "x + table[mod(place, 3)]"],
        ["param w: [D, D]", "param u: [2 * D, D]", "x + tanh(concat(x, w[1] + x[argmax(x)]) @ u)"],
      ];
      return define("layer", token, bodies[layer.which]!);
    }
    case "attention":
      return `x + CausalAttention(D, heads = ${layer.heads})(x / (1 + square(x)))`;
    case "previous":
      return define("layer", "(T, D)(x: [T, D]) -> [T, D]", [`x + 0.5 * tanh(previous(x, ${layer.by}))`]);
    default:
      return layer satisfies never;
  }
}

/** With `width` 16 contractions are wide enough that 16 bits are worth it (compiler/narrow.ts). */
export function programText(program: RandomProgram, width: 4 | 16 = 4): string {
  const { tokens, layers, repeat, optimizer, clip, accumulate } = program;
  const writer: Writer = { definitions: [], count: 0 };
  const body = layers.map((each) => `x = ${layerText(each, writer)}`);
  const model = tokens
    ? [
        `dim D = ${width}`,
        "modality text = tokens(vocab = 7)",
        "param table: [7, D]",
        "param pace: [D]",
        "rows = table[text]",
        "x[t, d] = rows[t, d] + sin((t + 1) * pace[d])",
      ]
    : [
        `dim D = ${width}`,
        `modality x = features(${width})`,
        "modality y = category(3)",
        "param head: [D, 3]",
      ];
  const end = tokens
    ? ["logits = x @ transpose(table)", "loss cross_entropy(logits, text.next)"]
    : ["logits = x @ head", "loss cross_entropy(logits, y)"];
  const columns = Array.from({ length: width }, (_, at) => `"x${at}"`);
  const data = tokens
    ? ['data text = bytes("data.txt")', "batch 2 of 3"]
    : [`data x = csv("data.csv", ${columns.join(", ")})`, 'data y = csv("data.csv", "y")', "batch 3"];
  const looped = repeat === 1 ? body : [`repeat ${repeat} {`, ...body.map((line) => `  ${line}`), "}"];
  const used = [...writer.definitions, ...body].join("\n");
  const imports = [
    ...(used.includes("CausalAttention") ? ["import std.attention { CausalAttention }\n"] : []),
    ...(used.includes("SwiGLU") ? ["import std.experts { SwiGLU }\n"] : []),
  ];
  return `${imports.join("")}
expert Mix(D)(x: [D]) -> [D] {
  param w: [D, D]
  param bias: [D]
  tanh(x @ w + bias)
}

expert Wide(D)(x: [D]) -> [D] {
  param up: [D, 2 * D]
  param down: [2 * D, D]
  0.5 * gelu(x @ up) @ down
}

expert Gain(D)(x: [D]) -> [D] {
  param gain: [D]
  x * gain
}

${writer.definitions.join("\n\n")}

model M {
  ${[...model, ...looped, ...end].join("\n  ")}
}

train M {
  ${[...data, "steps 4", `optimizer ${optimizer}`, ...(clip ? ["clip 1"] : []), `accumulate ${accumulate}`].join("\n  ")}
}
`;
}
