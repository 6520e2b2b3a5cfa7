// Lines: columns of a reduction or a scan, dealt out to workgroups in which several invocations share each line.
// In: the shape of what is left when the line's own axis is taken away. Out: who has which line and which share of it, and the
// grid. Neighbouring invocations have neighbouring lines, so that they read neighbours; where there are few lines, a
// workgroup has few and its invocations share them. Deliberately absent: what is done along a line.

import type { Shape } from "../graph.ts";
import type { Expr } from "../kernel.ts";
import { ceilDivide, multiply } from "../../runtime/size.ts";
import type { Size } from "../../runtime/size.ts";
import type { Parallel } from "../target.ts";
import { number } from "./affine.ts";
import type { ClusterKernel } from "./context.ts";
import { binary, integer, invocation, sizeExpr, workgroup } from "./expr.ts";
import type { At } from "./layout.ts";
import { guardRows, sizeOf } from "./space.ts";

/** Workgroups that keep a large device busy. */
const enough = 256;
/** Fewest neighbouring lines of a workgroup: what the memory of a device reads at a time. */
const fewestColumns = 8;
/** Fewest elements of a line that are worth an invocation. */
const leastShare = 8;

export interface Sharing {
  /** Lines of a workgroup. */
  readonly columns: number;
  /** Invocations of a workgroup that share a line. */
  readonly shares: number;
  /** Workgroups that share a line. */
  readonly parts: number;
}

const powerBelow = (count: number): number => 2 ** Math.floor(Math.log2(Math.max(1, count)));

/** How to share about so many lines of about so many elements. */
export function sharingOf(lines: number, length: number, parallel: Parallel, mostParts = 1): Sharing {
  const wanted = powerBelow(Math.min((enough * parallel.workgroup) / lines, length / leastShare));
  const shares = Math.min(wanted, parallel.workgroup / fewestColumns);
  const columns = parallel.workgroup / shares;
  return { columns, shares, parts: Math.min(mostParts, wanted / shares) };
}

export interface Lines {
  readonly grid: Size;
  /** Of the workgroup's lines, the invocation's. */
  readonly column: Expr;
  /** Which share of its line an invocation has, among those of its workgroup; and its workgroup among those of the line. */
  readonly share: Expr;
  readonly part: Expr;
  /** Where an invocation has a line: its coordinates. */
  readonly where: (body: (at: At) => void) => void;
}

export function dealLines(kernel: ClusterKernel, shape: Shape, { columns, shares, parts }: Sharing): Lines {
  const { emitter } = kernel;
  emitter.workgroup = columns * shares;
  const total = sizeOf(shape);
  const divided = (by: number, fn: "div" | "mod", value: Expr): Expr =>
    by === 1 ? (fn === "div" ? value : integer(0)) : emitter.let(binary(fn, value, integer(by)));
  const block = divided(parts, "div", workgroup);
  const part = divided(parts, "mod", workgroup);
  const column = shares === 1 ? invocation : divided(columns, "mod", invocation);
  const share = shares === 1 ? integer(0) : divided(columns, "div", invocation);
  const first = emitter.let(binary("mul", block, integer(columns)), "f");
  return {
    grid: multiply(ceilDivide(total, number(columns)), number(parts)),
    column,
    share,
    part,
    where: (body) => {
      const left = binary("sub", sizeExpr(total), first);
      emitter.if(binary("lt", column, left), () => {
        const line = emitter.given(binary("add", first, column), { bound: total });
        guardRows(kernel, shape, line, 0, body);
      });
    },
  };
}
