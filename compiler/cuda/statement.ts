// Kernel statements as lines of CUDA C++. In: statements and the state of the kernel that is being printed. Out: lines, indented.
// A loop's bound is read once, before it. A workgroup of one invocation needs no barriers, and its reductions are the values.

import { isSteady } from "../c-like/operators.ts";
import type { Expr, HalfType, ReduceFn, Stmt, Tile } from "../kernel.ts";
import { isVector } from "../kernel-type.ts";
import { isHalf } from "../half.ts";
import { someStatement } from "../kernel-walk.ts";
import { divisorOf } from "./alignment.ts";
import {
  elementOf,
  expression,
  indexed,
  inFours,
  operand,
  placed,
  rowsOf,
  typeName,
  use,
  type Printer,
} from "./expression.ts";
import { signalLine } from "./bulk.ts";
import { productName, productText } from "./warpgroup.ts";

export interface Body extends Printer {
  /** Types of values that are reduced: each needs shared memory of its own. */
  readonly reduced: Set<"f32" | "i32">;
  /** Locals that change. */
  readonly variables: Set<string>;
  /** Where warpgroups multiply: their units read what others have stored. */
  readonly inVariant: boolean;
}

/** The shared memory of reductions, and whose turn it is. */
export const reduceMemory = (type: "f32" | "i32"): string => `reduce_${type}`;
export const reduceTurn = "reduce_turn";

export const statements = (body: Body, list: readonly Stmt[], indent: string): string[] =>
  list.flatMap((statement, at) => {
    const lines = print(body, statement, indent);
    if (statement.op !== "product") return lines;
    // Those in a row are one group.
    if (list[at - 1]?.op !== "product") lines.unshift(`${indent}products_begin();`);
    if (list[at + 1]?.op !== "product") lines.push(`${indent}products_end();`);
    return lines;
  });

function print(body: Body, statement: Stmt, indent: string): string[] {
  const { names } = body;
  const text = (expr: Expr): string => expression(body, expr);
  const line = (content: string): string => `${indent}${content}`;
  const inner = (list: readonly Stmt[]): string[] => statements(body, list, `${indent}  `);
  switch (statement.op) {
    case "let":
    case "var": {
      const { name, value } = statement;
      if (statement.op === "var") body.variables.add(name);
      else if (value.type === "i32") body.divisors.set(name, divisorOf(value, body.divisors));
      const fixed = statement.op === "let" ? "const " : "";
      return [line(`${fixed}${typeName(body, value.type)} ${names.of(name)} = ${text(value)};`)];
    }
    case "set":
      return [line(`${names.of(statement.name)} = ${text(statement.value)};`)];
    case "store": {
      const { buffer, index, value } = statement;
      const element = elementOf(body, buffer);
      if (isHalf(element)) use(body, isVector(value.type) ? "half4" : "half");
      if (!isVector(value.type)) {
        const stored = isHalf(element) ? `to_${element}(${text(value)})` : text(value);
        return [line(`${names.ofMemory(buffer)}[${indexed(body, buffer, index).text}] = ${stored};`)];
      }
      const store = inFours(body, buffer, index) ? "store4" : "scatter4";
      return [line(`${use(body, store)}(${placed(body, buffer, index)}, ${text(value)});`)];
    }
    case "for": {
      const name = names.of(statement.name);
      const { from, to, step } = statement;
      const advance = step === 1 ? `${name}++` : `${name} += ${step}`;
      body.divisors.set(
        statement.name,
        Math.min(
          divisorOf(from, body.divisors),
          divisorOf({ op: "literal", type: "i32", value: step }, body.divisors),
        ),
      );
      const steady = isSteady(body.variables, to);
      const end = steady ? operand(body, to) : names.fresh(`${name}_end`);
      const start = `int ${name} = ${text(from)}${steady ? "" : `, ${end} = ${text(to)}`}`;
      return [
        ...unrolled(body, statement.body),
        line(`for (${start}; ${name} < ${end}; ${advance}) {`),
        ...inner(statement.body),
        line("}"),
      ];
    }
    case "if": {
      const otherwise =
        statement.otherwise.length === 0 ? [] : [line("} else {"), ...inner(statement.otherwise)];
      return [line(`if (${text(statement.condition)}) {`), ...inner(statement.then), ...otherwise, line("}")];
    }
    case "barrier":
      if (body.kernel.workgroup === 1) return [];
      if (statement.of === "warp") return [line("__syncwarp();")];
      return [...(body.inVariant ? [line("publish();")] : []), line("__syncthreads();")];
    case "reduce": {
      const name = names.of(statement.name);
      const { type } = statement.value;
      if (type !== "f32" && type !== "i32") throw new Error(`internal: a reduction of ${type}`);
      if (body.kernel.workgroup === 1)
        return [line(`const ${typeName(body, type)} ${name} = ${text(statement.value)};`)];
      body.reduced.add(type);
      const combine = `${use(body, "reduce")}<${combiners[statement.fn]}, ${body.kernel.workgroup}>`;
      const args = `${text(statement.value)}, invocation, ${reduceMemory(type)}, ${reduceTurn}`;
      return [line(`const ${typeName(body, type)} ${name} = ${combine}(${args});`)];
    }
    case "copy": {
      const { scratch, index, buffer, from, there } = statement;
      const [to, source] = [placed(body, scratch, index), placed(body, buffer, from)];
      use(body, "copy");
      return [line(`copy_async(${to}, ${source}, ${text(there)});`)];
    }
    case "variant": {
      use(body, "warpgroups");
      const warpgroups = statements({ ...body, inVariant: true }, statement.warpgroups, indent);
      return [
        "#if MOE_WARPGROUPS",
        ...warpgroups,
        "#else",
        ...statements(body, statement.otherwise, indent),
        "#endif",
      ];
    }
    case "product":
      return [line(product(body, statement))];
    case "settle":
      return [line("settle();")];
    case "bulk":
    case "arrive":
    case "await":
    case "registers":
      use(body, "bulk");
      return [
        line(
          signalLine(statement, {
            text,
            memory: (name) => names.ofMemory(name),
            signal: ({ signal, which }) =>
              which.op === "literal" && which.value === 0
                ? names.ofMemory(signal)
                : `${names.ofMemory(signal)} + ${operand(body, which)}`,
          }),
        ),
      ];
    case "group":
      use(body, "copy");
      return [line("copies_group();")];
    case "wait":
      use(body, "copy");
      return [
        line(`copies_wait<${statement.open}>();`),
        // Nothing but signals may say to others that it has arrived.
        ...(body.inVariant && body.kernel.signals !== undefined ? [line("publish();")] : []),
      ];
    case "fragment": {
      const { is } = statement;
      use(body, "matrix");
      const name = names.of(statement.name);
      if (is.of === "sums") return [line(`Sums ${name} = {};`)];
      const along = is.contiguous === "k" ? "k" : is.of === "left" ? "rows" : "columns";
      const rows = rowsOf(body, is.scratch);
      const call =
        rows === undefined
          ? `${is.of}_by_${along}(${placed(body, is.scratch, is.index)}`
          : `${is.of}_by_${along}<${rows}>(${names.ofMemory(is.scratch)}, ${text(is.index)}`;
      if (rows !== undefined) use(body, "matrix_rows");
      return [line(`const auto ${name} = ${call}, ${is.stride}, invocation);`)];
    }
    case "multiply": {
      const [sums, left, right] = [statement.sums, statement.left, statement.right].map((each) =>
        names.of(each),
      );
      return [line(`multiply(${sums}, ${left}, ${right});`)];
    }
    case "spill": {
      const at = placed(body, statement.scratch, statement.index);
      return [line(`spill(${names.of(statement.sums)}, ${at}, ${statement.stride}, invocation);`)];
    }
    case "comment":
      // A comment must not go on in the next line.
      return statement.text.split("\n").map((each) => line(`// ${each.replace(/[\\\s]+$/, "")}`));
    default:
      return statement satisfies never;
  }
}

/** How often nvcc may write a loop out, where it does harm. */
function unrolled(body: Body, list: readonly Stmt[]): readonly string[] {
  // Sums would be moved between products, each of which nvcc would then wait for.
  if (someStatement(list, ({ op }) => op === "product")) return ["#pragma unroll 1"];
  const results = body.kernel.buffers.filter(({ access }) => access !== "read").length;
  const sums = list.filter(
    (each) => each.op === "set" && each.value.op === "fma" && isVector(each.value.type),
  );
  // Of several results at once addresses take what is left beside 64 sums: loads of four steps ahead would find no registers, and those of
  // the next step, with other warps, are enough to wait for.
  return results > 1 && sums.length >= manySums ? ["#pragma unroll 2"] : [];
}

/** Fours that an invocation keeps: half of its registers. */
const manySums = 16;

function product(body: Body, { sums, left, right }: Extract<Stmt, { op: "product" }>): string {
  const type = elementOf(body, left.scratch) as HalfType;
  const name = productName(sums.length, type);
  body.wide.set(name, productText(sums.length, type));
  // What has no panels counts sixteen bytes there.
  const tile = ({ scratch, index, panel = 8 }: Tile): string => {
    // A tile begins where no bytes change places, but for k, which the units see to.
    const at = `${body.names.ofMemory(scratch)} + ${operand(body, index)}`;
    return `tile_of<${rowsOf(body, scratch)!}>(${at}, ${panel * 2})`;
  };
  const flags = [left, right].map(({ contiguous }) => (contiguous === "k" ? 0 : 1)).join(", ");
  const held = sums.map((each) => body.names.of(each)).join(", ");
  return `${name}<${flags}>(${held}, ${tile(left)}, ${tile(right)});`;
}

const combiners: Readonly<Record<ReduceFn, string>> = { add: "Add", min: "Min", max: "Max" };
