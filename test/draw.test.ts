// Drawings: paths, choices in words, outlines of graphs, lists of launches, and the whole as well-formed SVG and HTML.

import { describe, expect, test } from "vitest";
import { choiceWords } from "../cli/draw/choice.ts";
import { drawModel } from "../cli/draw/draw.ts";
import { launchGroups, sizesOf } from "../cli/draw/launches.ts";
import { outline, type Box, type Content } from "../cli/draw/outline.ts";
import { joinPath, splitStep, stepBelow } from "../cli/draw/paths.ts";
import { tensorLines } from "../cli/draw/pool.ts";
import { fit } from "../cli/draw/svg.ts";
import { dropLast, dropLowest, dropLowestOfPicks, queuesOfGroups } from "../compiler/build/capacity.ts";
import {
  chooseAll,
  chooseBest,
  chooseEach,
  chooseTokens,
  chooseTop,
  chooseUntil,
  chooseWhere,
} from "../compiler/build/choose.ts";
import { atPicks } from "../compiler/build/gates.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import type { Graph, Node } from "../compiler/graph.ts";
import { lowerGraph } from "../compiler/lower.ts";
import type { LoweredEntry } from "../compiler/lowered.ts";
import { programVersion, type Program, type Tensor } from "../runtime/program.ts";
import { ceilDivide, constant, multiply, named } from "../runtime/size.ts";

const T = named("T");

describe("paths", () => {
  test.each([
    ["", "block.0.experts.router", "block.0"],
    ["block.0", "block.0.experts.router", "experts"],
    ["block.0", "block.0.router.1", "router.1"],
    ["block.0", "block.0", undefined],
    ["block", "blocks.0", undefined],
    ["", "", undefined],
  ])("below %j, %j begins with %j", (base, path, step) => {
    expect(stepBelow(base, path)).toBe(step);
  });
  test("steps have a name and perhaps a number", () => {
    expect([splitStep("block.3"), splitStep("norm"), joinPath("", "a"), joinPath("a.0", "b")]).toEqual([
      { name: "block", number: 3 },
      { name: "norm" },
      "a",
      "a.0.b",
    ]);
  });
});

describe("choices in words", () => {
  const made = (make: (b: GraphBuilder, score: Node) => Node): Node => {
    const b = new GraphBuilder();
    return make(b, b.contract(b.input("x", "f32", [T, 4]), b.tensor("w", [4, 8]), "td,dn->tn"));
  };
  const half = (b: GraphBuilder): Node => b.constant(0.5);
  const share = ceilDivide(T, constant(4));
  const cases: readonly (readonly [string, number, (b: GraphBuilder, score: Node) => Node])[] = [
    ["top 2 of 8", 2, (b, s) => chooseTop(b, s, 2)],
    ["top 1 in each of 4 groups", 4, (b, s) => chooseEach(b, s, 1, 4)],
    ["top 3 of 8, in the best 2 of 4 groups", 3, (b, s) => chooseBest(b, s, 3, 2, 4, { score: s, top: 2 })],
    ["the best until their sum passes, up to 4 of 8", 4, (b, s) => chooseUntil(b, s, half(b), true, s, 4)],
    ["every one that passes, up to 8 of 8", 8, (b, s) => chooseWhere(b, b.map("lt", 0, s))],
    ["all 8", 8, (b, s) => chooseAll(b, s)],
    ["each expert takes its best ceil(T, 4) tokens", 8, (b, s) => chooseTokens(b, s, share, 1)],
    [
      "top 2 of 8, at most ceil(T, 4) tokens each",
      2,
      (b, s) =>
        dropLowest(
          b,
          chooseTop(b, s, 2),
          b.sum(b.cast(b.oneHot(chooseTop(b, s, 2), 8), "f32"), [1]),
          s,
          share,
          1,
        ),
    ],
    [
      "top 2 of 8, at most 6 picks in each of 4 groups",
      2,
      (b, s) => {
        const picks = chooseTop(b, s, 2);
        const queues = queuesOfGroups(b, picks, 8, 4);
        return dropLowestOfPicks(b, picks, queues, atPicks(b, s, picks), constant(6), 1);
      },
    ],
    [
      "top 2 of 8, with a capacity",
      2,
      (b, s) =>
        dropLast(b, chooseTop(b, s, 2), { ids: chooseTop(b, s, 2), count: 8 }, b.constant(3, "i32"), 1),
    ],
    ["as the model says", 1, (b) => b.input("route", "i32", [T, 1])],
  ];
  test.each(cases)("%s", (words, width, make) => {
    expect(choiceWords(made(make), width, 8)).toBe(words);
  });
  test("without a graph, by its bounds", () => {
    expect(choiceWords(undefined, 2, 9)).toBe("up to 2 of 9");
  });
});

interface Made {
  readonly program: Program;
  readonly graphs: Record<string, Graph>;
  readonly lowered: readonly LoweredEntry[];
}
interface Shape {
  readonly layers?: number;
  readonly experts?: number;
  readonly name?: string;
  readonly step?: string;
}

/** Layers of a norm and a routed pool with a shared expert, each around a residual; between a lookup and a head. */
function made({ layers = 3, experts = 4, name = "Tiny", step = "block" }: Shape = {}): Made {
  const b = new GraphBuilder();
  const tensors: Tensor[] = [];
  const D = 8;
  const parameter = (path: string, ...shape: number[]): Node => {
    tensors.push({ name: path, role: "parameter", type: "f32", shape, init: { kind: "constant", value: 0 } });
    return b.tensor(path, shape);
  };
  const at = <Result>(path: string, make: () => Result): Result => b.at({ path }, make);
  const routers: { name: string; picks: Node; load: Node }[] = [];
  let x = b.take(parameter("table", 16, D), b.input("text", "i32", [T]));
  for (let layer = 0; layer < layers; layer++) {
    const base = `${step}.${layer}`;
    const before = x;
    const normed = at(`${base}.norm`, () =>
      b.mul(before, b.broadcastTo(parameter(`${base}.norm.gain`, D), before.shape, [1])),
    );
    const router = `${base}.experts.router`;
    const { picks, weight } = at(router, () => {
      const score = b.softmax(b.contract(normed, parameter(`${router}.w`, D, experts), "td,dn->tn"));
      const picks = b.choose(score, 1);
      return { picks, weight: b.take(score, picks, 1) };
    });
    x = at(base, () => {
      const route = b.route(picks, experts);
      const rows = b.dispatch(normed, route);
      const out = at(`${base}.experts.routed`, () =>
        b.contract(rows, parameter(`${base}.experts.routed.up`, experts, D, D), "rk,ekn->rn", {
          row: "r",
          group: "e",
        }),
      );
      const merged = b.combine(
        b.mul(out, b.broadcastTo(b.dispatch(weight, route, "pick"), out.shape, [0])),
        route,
      );
      const shared = at(`${base}.experts.shared`, () =>
        b.contract(normed, parameter(`${base}.experts.shared.up`, D, D), "td,dn->tn"),
      );
      return b.add(before, b.add(shared, merged));
    });
    routers.push({ name: router, picks, load: at(router, () => b.sum(b.mul(weight, 1), [0])) });
  }
  const logits = b.contract(x, b.tensor("table", [16, D]), "td,vd->tv");
  const forward: Graph = { name: "forward", outputs: [{ name: "logits", node: logits }], updates: [] };
  const evaluate: Graph = {
    name: "evaluate",
    outputs: [
      { name: "loss", node: b.mean(logits) },
      ...routers.map(({ name: router, picks }) => ({ name: `picks.${router}`, node: picks })),
    ],
    updates: [],
  };
  const program: Program = {
    format: "moe-program",
    version: programVersion,
    name,
    target: "wasm",
    sizes: [{ name: "T", doc: "", default: 32 }],
    tensors,
    kernels: [],
    entries: {},
    modalities: [{ name: "text", kind: "tokens", count: 16, length: "T", ports: ["text"] }],
    routers: routers.map(({ name: router }) => ({
      name: router,
      experts,
      nulls: 0,
      width: 1,
      load: `load.${router}`,
      picks: `picks.${router}`,
      pool: [{ first: 0, count: experts, tensors: [`${router.replace(/router$/, "routed")}.up`] }],
    })),
  };
  return { program, graphs: { forward, evaluate }, lowered: [lowerGraph(forward), lowerGraph(evaluate)] };
}

/** `title × times: -> titles of what it feeds`, groups indented. */
function describeContent({ boxes, edges }: Content): string[] {
  const title = (box: Box): string => (box.kind === "port" ? (box.id === "in" ? "in" : "out") : box.title);
  const titles = new Map(boxes.map((box) => [box.id, title(box)]));
  return boxes.flatMap((box) => [
    `${title(box)}${box.times > 1 ? ` × ${box.times}` : ""}: ${edges.flatMap(({ from, to }) => (from === box.id ? [titles.get(to)] : [])).join(", ")}`.trim(),
    ...(box.content === undefined ? [] : describeContent(box.content).map((line) => `  ${line}`)),
  ]);
}

describe("outlines", () => {
  test("equal layers are one box, the residual is a sum, the pool holds its experts", () => {
    const { program, graphs } = made();
    const content = outline(program, graphs["forward"]!, graphs["evaluate"]);
    expect(describeContent(content)).toEqual([
      "text [T]: look up table",
      "look up table: block",
      "block × 3: × table",
      "  in: norm, +",
      "  norm: experts",
      "  experts: +",
      "  +: out",
      "  out:",
      "× table: logits",
      "logits:",
    ]);
    const pool = content.boxes
      .find(({ kind }) => kind === "group")!
      .content!.boxes.find(({ kind }) => kind === "pool")!.pool!;
    expect(pool).toMatchObject({
      routers: [{ words: "top 1 of 4", tensors: ["w [8, 4]"] }],
      kinds: [{ count: 4, tensors: ["up [8, 8]"], parameters: 64 }],
      shared: [{ tensors: ["up [8, 8]"], parameters: 64 }],
    });
  });

  test("without routers there are only leaves", () => {
    const b = new GraphBuilder();
    const x = b.input("x", "f32", [T, 2]);
    const y = b.at({ path: "tower" }, () => b.contract(x, b.tensor("tower.w", [2, 3]), "td,dn->tn"));
    const program = {
      ...made().program,
      routers: [],
      tensors: [
        { name: "tower.w", role: "parameter", type: "f32", shape: [2, 3], init: { kind: "identity" } },
      ],
    } as Program;
    const graph: Graph = { name: "forward", outputs: [{ name: "logits", node: y }], updates: [] };
    expect(describeContent(outline(program, graph, undefined))).toEqual([
      "x [T, 2]: tower",
      "tower: logits",
      "logits:",
    ]);
  });

  test("tensors of one shape share a line", () => {
    expect(
      tensorLines([
        { name: "a.gate", shape: [2, 3] },
        { name: "a.up", shape: [2, 3] },
        { name: "a.down", shape: [3, 2] },
      ]),
    ).toEqual(["gate, up [2, 3]", "down [3, 2]"]);
  });
});

describe("launches", () => {
  test("are grouped by layer, and layers that do the same are one group", () => {
    const { program, lowered } = made();
    const forward = lowered[0]!;
    const groups = launchGroups(forward, sizesOf(program, "forward"));
    const launched = groups.reduce((sum, { times, launches }) => sum + times * launches.length, 0);
    expect(launched).toBe(forward.dispatches.length);
    expect(groups.some(({ times }) => times >= 2)).toBe(true);
    const all = groups.flatMap(({ launches }) => launches);
    // The head: 32 tokens, 8 wide, 16 words; each shared expert: 32 x 8 x 8.
    expect(all.reduce((sum, { multiplyAdds }) => sum + multiplyAdds, 0)).toBeGreaterThanOrEqual(
      32 * 8 * 16 + 3 * 32 * 8 * 8,
    );
    expect(all.every(({ bytes, buffers }) => bytes > 0 && buffers.length > 0)).toBe(true);
  });

  test("decoding is one token of one sequence", () => {
    const { program } = made();
    expect(sizesOf(program, "decode")).toEqual({ T: 1 });
    expect(sizesOf(program, "train")).toEqual({ T: 32 });
  });

  test("gradients are named so, and updates belong to the parameter that they change", () => {
    const kernel = {
      ...made().lowered[0]!.dispatches[0]!.kernel,
      buffers: [{ name: "a", type: "f32", access: "write", length: multiply(constant(4), constant(2)) }],
    } as const;
    const entry: LoweredEntry = {
      name: "update",
      inputs: [],
      outputs: [],
      refusals: [],
      dispatches: [
        { kernel, buffers: [{ kind: "tensor", name: "momentum.block.1.gain" }], label: "sub" },
        { kernel, buffers: [{ kind: "input", name: "x" }], label: "block.1.norm': mul" },
        { kernel, buffers: [{ kind: "input", name: "x" }], label: "mul" },
      ],
    };
    const groups = launchGroups(entry, { T: 1 }, ["block.1.gain", "gain"]);
    expect(groups.map(({ title, launches }) => [title, launches[0]!.label, launches[0]!.bytes])).toEqual([
      ["block.1", "gain: sub", 32],
      ["block.1, gradients", "norm: mul", 32],
      ["model", "mul", 32],
    ]);
  });
});

/** Elements nest, attributes are quoted, and no bare `&` or `<` is left. */
function expectWellFormed(xml: string): void {
  const open: string[] = [];
  const rest = xml
    .replace(/^<\?xml[^>]*\?>\n/, "")
    .replace(
      /<(\/?)([a-zA-Z]+)((?:\s+[\w:-]+="[^"<]*")*)\s*(\/?)>/g,
      (_, end: string, name: string, attributes: string, single: string) => {
        const names = [...attributes.matchAll(/([\w:-]+)="/g)].map((match) => match[1]);
        expect(new Set(names).size).toBe(names.length);
        if (end === "/") expect(open.pop()).toBe(name);
        else if (single === "") open.push(name);
        return "";
      },
    );
  expect(open).toEqual([]);
  expect(/<|&(?!amp;|lt;|gt;|quot;|#39;)/.exec(rest)?.[0]).toBeUndefined();
}

describe("drawings", () => {
  const { svg, html } = drawModel(made());

  test("say what they show", () => {
    for (const text of [
      "<title",
      "<desc",
      "prefers-color-scheme",
      ">Tiny<",
      "× 3",
      "top 1 of 4",
      ">forward<",
      ">evaluate<",
      "3 routers",
    ])
      expect(svg.includes(text), text).toBe(true);
    expectWellFormed(svg);
  });

  test("as a page hold the same picture, need no network, and tell details", () => {
    expect(html).toContain(svg.slice(svg.indexOf("<svg"), svg.indexOf("<svg") + 400));
    expect(html).toMatch(/data-about="block.0.norm: 8 parameters"/);
    for (const part of ["model", "forward", "evaluate"]) expect(html).toContain(`data-part="part-${part}"`);
    expect(html.replaceAll("http://www.w3.org/2000/svg", "")).not.toMatch(/https?:|<link|\bsrc=/);
  });

  test("the page's script uses nothing of the module that it was written in", () => {
    const script = /<script>(.*?)<\/script>/s.exec(html)![1]!;
    expect(() => new Function(script)).not.toThrow();
    expect(script).not.toMatch(/__vi|__name|import\b|require\(/);
  });

  test.each([
    ["one expert", { experts: 1 }],
    ["256 experts", { experts: 256, layers: 1 }],
    ["one layer", { layers: 1 }],
    ["no layers, no routers", { layers: 0 }],
    ["hostile names", { name: `</title><script>alert("1")</script>&'`, step: `<b onload="x">&` }],
  ])("%s", (_, shape) => {
    const drawn = drawModel(made(shape));
    expectWellFormed(drawn.svg);
    expect(drawn.svg).not.toMatch(/NaN|Infinity|undefined|<script|<b /);
    expect(drawn.html.match(/<script/g)).toHaveLength(1);
  });

  test("are the same every time", () => {
    expect(drawModel(made()).html).toBe(html);
  });

  test("texts are cut to what fits", () => {
    expect(fit("abcdefgh", 40, 10)).toBe("abc…");
    expect(fit("abc", 40, 10)).toBe("abc");
  });
});
