// The one style, by example: text on the left, its format on the right. The laws are in format-properties.test.ts.
import prettier from "prettier";
import { describe, expect, test } from "vitest";
import { format } from "../grammar/format.ts";
import * as plugin from "../grammar/prettier.ts";
import { printExpression, printType } from "../grammar/print-expression.ts";
import { parse } from "../grammar/parse.ts";

function expectFormat(text: string, expected: string): void {
  const { text: formatted, diagnostics } = format(text);
  expect(diagnostics).toEqual([]);
  expect(formatted).toBe(expected);
  expect(format(formatted).text).toBe(formatted);
}

describe("format", () => {
  test("blanks, blank lines and line ends", () => {
    expectFormat(
      '\r\n\r\nimport  std.experts{SwiGLU,GeGLU}\r\nimport "./mine.moe" { Mine }\r\n\r\n\r\nlayer A( D )( x :[ T,D ] )->[T , D]{\r\n\r\n\r\n  y=x+1\r\n\r\n\r\n\r\n  y*2   \r\n\r\n}\r\nlayer B(x: [D]) { x }\r\ndim D=3\r\ndim E  =  4\r\n\r\n\r\n',
      `import std.experts { SwiGLU, GeGLU }
import "./mine.moe" { Mine }

layer A(D)(x: [T, D]) -> [T, D] {
  y = x + 1

  y * 2
}

layer B(x: [D]) {
  x
}

dim D = 3
dim E = 4
`,
    );
  });

  test("defaults of inputs, and headers that are too long for a line", () => {
    expectFormat(
      "layer A(D)(x:[D],there:[]=1,open:bool[D]=there>0)->[D]{x}",
      `layer A(D)(x: [D], there: [] = 1, open: bool [D] = there > 0) -> [D] {
  x
}
`,
    );
    expectFormat(
      "router Long(D, N, factor = 1.25)(x: [D], there: [] = 1, mask: bool [N] = true) -> gates[N] { x }",
      `router Long(
  D, N, factor = 1.25
)(x: [D], there: [] = 1, mask: bool [N] = true) -> gates[N] {
  x
}
`,
    );
  });

  test("comments stay where they are", () => {
    expectFormat(
      `/// The module.

// before
/// The layer.
layer A(D, // the width
  k = 2)(x: [D]) { // opens
    // first
    y = f(x, // an argument
      // on its own
      k = 2
      // last
      )  // behind
    z = x + // one
      // two
      y


    // before the end
}
// after it

// the end
`,
      `/// The module.

// before
/// The layer.
layer A(
  D, // the width
  k = 2
)(x: [D]) { // opens
  // first
  y = f(
    x, // an argument
    // on its own
    k = 2
    // last
  ) // behind
  z = x + // one
    // two
    y

  // before the end
}
// after it

// the end
`,
    );
  });

  test("what is too long breaks after commas and operators, and before then and else", () => {
    expectFormat(
      `router GroupLimited(D, N, k = 8, groups = 8, kept = 4, rate = 1e-3, scale = 2.5, alpha = 1e-4)(x: [D]) -> gates[N] {
  first[t, h, c] = halves[t, h, 0, c] * cos(angle[t, c]) - halves[t, h, 1, c] * sin(angle[t, c])
  score[h, t, s] = if s <= t then sum(q[t, h, c] * k[s, h, c] over c) / sqrt(C) else -infinity
  y = LongNameOfALayer { width = 512, another_option = 1024, yet_another_option = 2048, last = 1 }(x)
}
train M {
  optimizer adamw { rate = cosine(4e-3, warmup = 30), decay = 0.1, epsilon = 1e-8, beta1 = 0.9, beta2 = 0.95, one_more = 12 }
}
`,
      `router GroupLimited(
  D, N, k = 8, groups = 8, kept = 4, rate = 1e-3, scale = 2.5, alpha = 1e-4
)(x: [D]) -> gates[N] {
  first[t, h, c] = halves[t, h, 0, c] * cos(angle[t, c]) -
    halves[t, h, 1, c] * sin(angle[t, c])
  score[h, t, s] = if s <= t
    then sum(q[t, h, c] * k[s, h, c] over c) / sqrt(C)
    else -infinity
  y = LongNameOfALayer {
    width = 512, another_option = 1024, yet_another_option = 2048, last = 1
  }(x)
}

train M {
  optimizer adamw {
    rate = cosine(4e-3, warmup = 30),
    decay = 0.1,
    epsilon = 1e-8,
    beta1 = 0.9,
    beta2 = 0.95,
    one_more = 12
  }
}
`,
    );
  });

  test("sources of a start that are too many for a line stand further in than its rules", () => {
    const [a, b] = ["runs/the-first-of-two-long-names-of-runs", "runs/the-second-of-two-long-names"];
    expectFormat(
      `train M {\n  start from a="${a}",b="${b}" {\n"*"=a("*")\n}\n  start from a="x", // one\nb="y"{}\n}\n`,
      `train M {
  start from a = "${a}",
    b = "${b}" {
    "*" = a("*")
  }
  start from a = "x", // one
    b = "y" {}
}
`,
    );
  });

  test("blocks stand on lines of their own; one plain statement after a step does not", () => {
    expectFormat(
      `layer A(x: [D]) {
  repeat i in 4 { x = f(x) }
  if training { x = g(x) } else if fast { } else { x = h(x) }
  after step { bias += 1 }
  after step {
    // why
    bias += 1
  }
  after step { a -= 1
    b *= 2 } in training
  repeat 2 { }
  x
}`,
      `layer A(x: [D]) {
  repeat i in 4 {
    x = f(x)
  }
  if training {
    x = g(x)
  } else if fast {} else {
    x = h(x)
  }
  after step: bias += 1
  after step {
    // why
    bias += 1
  }
  after step {
    a -= 1
    b *= 2
  } in training
  repeat 2 {}
  x
}
`,
    );
  });

  test("numbers, parentheses and words that say what holds anyway are kept as written", () => {
    const text = `router R(D, N)(x: [D]) -> gates[N] {
  y = ((1.50 + 1e-3) * 5%)
  choose top C tokens of score for each expert per sequence
  capacity c per batch drop last
  choose top C tokens of score for each expert
  capacity c
}
`;
    expectFormat(text, text);
  });

  test("a text with errors comes back as it is", () => {
    const text = "layer  A(x: [D]) {\n y =  \n}";
    const { text: same, diagnostics } = format(text);
    expect(same).toBe(text);
    expect(diagnostics.map(({ code }) => code)).toEqual(["M0005"]);
  });

  test("an empty text stays empty; comments alone stay", () => {
    expectFormat("\n\n", "");
    expectFormat("\n// a\n\n\n\n/// b", "// a\n\n/// b\n");
  });
});

describe("printing trees", () => {
  test.each([
    ["a-(b-c)", "a - (b - c)"],
    ["(a as [T])@b", "(a as [T]) @ b"],
    ["sum(x*y over c,d)", "sum(x * y over c, d)"],
    ["TopK{k=2}(x)", "TopK { k = 2 }(x)"],
    ["pool(x)by R{k=2}", "pool(x) by R { k = 2 }"],
    ["if a then b else c", "if a then b else c"],
    ["not (a)>-b^2", "not (a) > -b ^ 2"],
  ])("%s", (text, expected) => {
    const [definition] = parse(`function F(x: [D]) { y = ${text} }`, "a.moe").module.declarations;
    const [bind] = definition?.node === "definition" ? definition.body : [];
    expect(bind?.node === "bind" && printExpression(bind.value)).toBe(expected);
  });

  test("types", () => {
    const [definition] = parse("function F(a: [T,D/2], b: int[T], c: bool [], d: gates [N]) { a }", "a.moe")
      .module.declarations;
    const inputs = definition?.node === "definition" ? definition.inputs : [];
    expect(inputs.map(({ type }) => printType(type))).toEqual([
      "[T, D / 2]",
      "int [T]",
      "bool []",
      "gates[N]",
    ]);
  });
});

describe("the prettier plugin", () => {
  test("formats a .moe file, whatever prettier's options", async () => {
    const options = { filepath: "a.moe", plugins: [plugin], tabWidth: 8, printWidth: 20 };
    expect(await prettier.format("dim  D=3\nlayer A(x:[D]){x}", options)).toBe(
      "dim D = 3\n\nlayer A(x: [D]) {\n  x\n}\n",
    );
    expect(await prettier.check("dim D = 3\n", options)).toBe(true);
  });

  test("refuses a text with errors, with the place", async () => {
    const refused = prettier.format("dim D = 3\ndim E 4\n", { filepath: "a.moe", plugins: [plugin] });
    await expect(refused).rejects.toMatchObject({
      message: expect.stringContaining("expected `=`, found `4`; write `dim H = 4 * D` [M0005]") as string,
      loc: { start: { line: 2, column: 7 } },
    });
  });
});
