// Kernel statements as WGSL lines. In: statements and the state of the shader. Out: lines, indented.
// A loop's bound is read once, before it. `reduce` is a call: its result is the same in every invocation, and WGSL's analysis
// sees it (workgroupUniformLoad), so that barriers may depend on it.

import { isSteady } from "../c-like/operators.ts";
import type { Expr, ReduceFn, Stmt } from "../kernel.ts";
import { isVector } from "../kernel-type.ts";
import { isHalf } from "../half.ts";
import { elementOf, expression, operand, toF16, typeName, type Shader } from "./expression.ts";

/** Which combinations of a workgroup's values the shader needs: `add f32`. */
export type Reduction = `${ReduceFn} ${"f32" | "i32"}`;

export interface Body extends Shader {
  readonly reductions: Set<Reduction>;
  /** Locals that change. */
  readonly variables: Set<string>;
  /** The function of a reduction. */
  readonly wordOf: (reduction: Reduction) => string;
}

const converted = (body: Body, { buffer, value }: Extract<Stmt, { op: "store" }>): string =>
  isHalf(elementOf(body, buffer)) ? toF16(body, value) : expression(body, value);

export function statements(body: Body, list: readonly Stmt[], indent: string): string[] {
  return list.flatMap((statement) => print(body, statement, indent));
}

function print(body: Body, statement: Stmt, indent: string): string[] {
  const { names } = body;
  const text = (expr: Expr): string => expression(body, expr);
  const line = (content: string): string => `${indent}${content}`;
  const inner = (list: readonly Stmt[]): string[] => statements(body, list, `${indent}  `);
  switch (statement.op) {
    case "let":
    case "var": {
      if (statement.op === "var") body.variables.add(statement.name);
      const { name, value } = statement;
      return [line(`${statement.op} ${names.of(name)}: ${typeName(body, value.type)} = ${text(value)};`)];
    }
    case "set":
      return [line(`${names.of(statement.name)} = ${text(statement.value)};`)];
    case "store": {
      const name = names.ofMemory(statement.buffer);
      const [at, value] = [text(statement.index), converted(body, statement)];
      if (!isVector(statement.value.type)) return [line(`${name}[${at}] = ${value};`)];
      body.stores4.add(statement.buffer);
      return [line(`store4_${name}(${at}, ${value});`)];
    }
    case "for": {
      const name = names.of(statement.name);
      const steady = isSteady(body.variables, statement.to);
      const to = steady ? operand(body, statement.to) : names.fresh(`${name}_end`);
      const step = statement.step === 1 ? `${name}++` : `${name} += ${statement.step}`;
      return [
        ...(steady ? [] : [line(`let ${to} = ${text(statement.to)};`)]),
        line(`for (var ${name}: i32 = ${text(statement.from)}; ${name} < ${to}; ${step}) {`),
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
      return body.kernel.workgroup === 1 ? [] : [line("workgroupBarrier();")];
    case "reduce": {
      const name = names.of(statement.name);
      const { type } = statement.value;
      if (body.kernel.workgroup === 1)
        return [line(`let ${name}: ${typeName(body, type)} = ${text(statement.value)};`)];
      if (type !== "f32" && type !== "i32") throw new Error(`internal: a reduction of ${type}`);
      const reduction: Reduction = `${statement.fn} ${type}`;
      body.reductions.add(reduction);
      return [
        line(`let ${name}: ${type} = ${body.wordOf(reduction)}(${text(statement.value)}, invocation);`),
      ];
    }
    case "copy":
    case "group":
    case "wait":
      throw new Error(`internal: kernel ${body.kernel.name}: copies are plain here`);
    case "bulk":
    case "arrive":
    case "await":
    case "registers":
    case "fragment":
    case "multiply":
    case "spill":
    case "product":
    case "settle":
    case "variant":
      throw new Error(`internal: kernel ${body.kernel.name}: WebGPU has no matrix units`);
    case "comment":
      return statement.text.split("\n").map((each) => line(`// ${each}`));
    default:
      return statement satisfies never;
  }
}
