// Prints a kernel as readable pseudo-C: for debugging and for golden tests. In: a kernel. Out: text, two spaces a level.
// Not a target: nothing parses or compiles this text.

import { sizeKey } from "../runtime/size.ts";
import { infix } from "./c-like/operators.ts";
import type { Expr, Kernel, Stmt, TensorMap, Tile, ValueType } from "./kernel.ts";
import { isVector } from "./kernel-type.ts";
import { forDevice } from "./variant.ts";

export function printKernel(kernel: Kernel): string {
  const buffers = kernel.buffers.map(
    ({ name, type, access, length }) => `${access} ${type} ${name}[${sizeKey(length)}]`,
  );
  const sizes = kernel.sizes.length === 0 ? "" : ` sizes ${kernel.sizes.join(", ")}`;
  return [
    `kernel ${kernel.name}(${buffers.join(", ")})${sizes} grid ${sizeKey(kernel.grid)} workgroup ${kernel.workgroup} {`,
    ...kernel.scratch.map(
      ({ name, type, length, rows }) =>
        `  scratch ${type} ${name}[${length}${rows === undefined ? "" : `; rows of ${rows} bytes`}];`,
    ),
    ...(kernel.maps ?? []).map((map) => `  map ${printMap(map)};`),
    ...(kernel.signals ?? []).map(
      ({ name, count, arrivals }) => `  signal ${name}[${count}] of ${arrivals} arrivals;`,
    ),
    ...printBody(kernel.body, "  "),
    "}",
    ...(kernel.warpgroups === undefined
      ? []
      : ["where warpgroups multiply:", printKernel(forDevice(kernel, true)).trimEnd()]),
    "",
  ].join("\n");
}

const printMap = ({ name, buffer, offset, axes }: TensorMap): string =>
  `${name} of ${buffer} from ${sizeKey(offset)}: ${axes
    .map(({ extent, stride, box }) => `${box} of ${sizeKey(extent)} by ${sizeKey(stride)}`)
    .join(", ")}`;

function printBody(statements: readonly Stmt[], indent: string): string[] {
  return statements.flatMap((statement) => printStatement(statement).map((line) => indent + line));
}

function printStatement(statement: Stmt): string[] {
  switch (statement.op) {
    case "let":
    case "var":
      return [`${statement.op} ${statement.value.type} ${statement.name} = ${printExpr(statement.value)};`];
    case "set":
      return [`${statement.name} = ${printExpr(statement.value)};`];
    case "store":
      return [
        `${access(statement.buffer, statement.index, statement.value.type)} = ${printExpr(statement.value)};`,
      ];
    case "for": {
      const { name, from, to, step, body } = statement;
      const advance = step === 1 ? `${name}++` : `${name} += ${step}`;
      return [
        `for (${name} = ${printExpr(from)}; ${name} < ${printExpr(to)}; ${advance}) {`,
        ...printBody(body, "  "),
        "}",
      ];
    }
    case "if":
      return [
        `if (${printExpr(statement.condition)}) {`,
        ...printBody(statement.then, "  "),
        ...(statement.otherwise.length === 0 ? [] : ["} else {", ...printBody(statement.otherwise, "  ")]),
        "}",
      ];
    case "barrier":
      return [statement.of === undefined ? "barrier;" : `barrier of ${statement.of};`];
    case "reduce":
      return [`${statement.name} = reduce_${statement.fn}(${printExpr(statement.value)});`];
    case "copy": {
      const { scratch, index, buffer, from, there } = statement;
      const where = there.op === "literal" && there.value !== 0 ? "" : ` where ${printExpr(there)}`;
      return [`copy ${scratch}[${printExpr(index)}] = ${buffer}[${printExpr(from)}]${where};`];
    }
    case "product": {
      const { sums, left, right } = statement;
      return [`${sums.join(", ")} += ${tile(left, "rows")} * ${tile(right, "columns")};`];
    }
    case "settle":
      return ["settle;"];
    case "bulk": {
      const { scratch, index, map, at, signal, which } = statement;
      const from = at.map(printExpr).join(", ");
      return [`bulk ${scratch}[${printExpr(index)}] = ${map}(${from}) to ${signal}[${printExpr(which)}];`];
    }
    case "arrive": {
      const bytes = statement.bytes === 0 ? "" : ` with ${statement.bytes} bytes`;
      return [`arrive ${statement.signal}[${printExpr(statement.which)}]${bytes};`];
    }
    case "await":
      return [
        `await ${statement.signal}[${printExpr(statement.which)}], phase ${printExpr(statement.phase)};`,
      ];
    case "registers":
      return [`registers ${statement.to}, ${statement.more ? "more" : "fewer"};`];
    case "variant":
      return [
        "warpgroups {",
        ...printBody(statement.warpgroups, "  "),
        "} otherwise {",
        ...printBody(statement.otherwise, "  "),
        "}",
      ];
    case "group":
      return ["group;"];
    case "wait":
      return [`wait ${statement.open};`];
    case "fragment": {
      const { name, is } = statement;
      if (is.of === "sums") return [`sums ${name} = 0.0;`];
      const along = is.contiguous === "k" ? "k" : is.of === "left" ? "rows" : "columns";
      return [`${is.of} ${name} = ${is.scratch}[${printExpr(is.index)}; by ${is.stride}, along ${along}];`];
    }
    case "multiply":
      return [`${statement.sums} += ${statement.left} * ${statement.right};`];
    case "spill":
      return [
        `${statement.scratch}[${printExpr(statement.index)}; by ${statement.stride}] = ${statement.sums};`,
      ];
    case "comment":
      return [`// ${statement.text}`];
    default:
      return statement satisfies never;
  }
}

const tile = ({ scratch, index, contiguous, panel }: Tile, other: string): string =>
  `${scratch}[${printExpr(index)}; along ${contiguous === "k" ? "k" : other}${panel === undefined ? "" : `, panels of ${panel}`}]`;

const access = (buffer: string, index: Expr, type: ValueType): string =>
  `${buffer}[${printExpr(index)}${isVector(type) ? " : 4" : ""}]`;

/** An expression; operators inside operators get parentheses. */
export function printExpr(expr: Expr): string {
  const call = (name: string, ...args: readonly Expr[]): string =>
    `${name}(${args.map(printExpr).join(", ")})`;
  switch (expr.op) {
    case "literal":
      if (expr.type === "bool") return expr.value !== 0 ? "true" : "false";
      return expr.type !== "i32" && Number.isInteger(expr.value)
        ? `${Object.is(expr.value, -0) ? "-0" : expr.value}.0`
        : String(expr.value);
    case "size": {
      const text = sizeKey(expr.size);
      return /^[\w.]+$/.test(text) ? text : `(${text})`;
    }
    case "local":
      return expr.name;
    case "workgroup":
    case "invocation":
      return expr.op;
    case "load":
      return access(expr.buffer, expr.index, expr.type);
    case "unary":
      return call(expr.fn, expr.a);
    case "binary": {
      const operator = infix[expr.fn];
      return operator === undefined
        ? call(expr.fn, expr.a, expr.b)
        : `(${printExpr(expr.a)} ${operator} ${printExpr(expr.b)})`;
    }
    case "fma":
      return call("fma", expr.a, expr.b, expr.c);
    case "select":
      return `(${printExpr(expr.condition)} ? ${printExpr(expr.a)} : ${printExpr(expr.b)})`;
    case "splat":
      return call(expr.type, expr.a);
    case "vector":
      return call(expr.type, ...expr.lanes);
    case "extract":
      return `${printExpr(expr.a)}.${"xyzw"[expr.lane]!}`;
    case "cast":
      return call(expr.type, expr.a);
    case "random":
      return `random_${expr.type}(${[expr.key0, expr.key1, expr.counter].map(printExpr).join(", ")}, ${expr.stream})`;
    default:
      return expr satisfies never;
  }
}
