// Verify what bulk copies need: maps, signals, and the statements that speak of them. In: a kernel, statements and what is declared around
// them. Out: nothing, or an error `internal:` with the offending piece. That phases end, and that nobody looks too early, is the
// interpreter's.

import { bytesOf } from "./half.ts";
import type { Kernel, Stmt, TensorMap } from "./kernel.ts";
import { someStatement, statementsIn } from "./kernel-walk.ts";
import { known } from "../runtime/size.ts";
import { checkIs, checkSize, fail, type Checker, type Scope } from "./verify-expression.ts";

type Of<Op extends Stmt["op"]> = Extract<Stmt, { readonly op: Op }>;
export type BulkStmt = Of<"bulk" | "arrive" | "await" | "registers">;

/** What a tensor map may have. */
const mostAxes = 5;
const mostOfBox = 256;
/** Registers that a multiprocessor has for each warpgroup of 512 invocations. */
const registersOfWarpgroup = 128;

export function verifyMapsAndSignals(checker: Checker): void {
  const { kernel, inVariant } = checker;
  const { maps = [], signals = [] } = kernel;
  if (!inVariant && maps.length + signals.length > 0)
    fail(kernel, "maps or signals where warpgroups do not multiply");
  const names = [...maps, ...signals, ...kernel.buffers, ...kernel.scratch].map(({ name }) => name);
  for (const name of names)
    if (names.indexOf(name) !== names.lastIndexOf(name)) fail(kernel, `${name} is declared twice`);
  for (const map of maps) verifyMap(checker, map);
  for (const { name, count, arrivals } of signals)
    for (const number of [count, arrivals])
      if (!Number.isInteger(number) || number < 1)
        fail(kernel, `the signal ${name} is ${count} of ${arrivals} arrivals`);
  verifyRegisters(kernel);
}

function verifyMap(checker: Checker, { name, buffer, offset, axes }: TensorMap): void {
  const { kernel, memory } = checker;
  const found = memory.get(buffer);
  if (found === undefined || found.writes)
    return fail(kernel, `the map ${name} is of ${buffer}, which is no buffer that is only read`);
  if (axes.length === 0 || axes.length > mostAxes) fail(kernel, `the map ${name} has ${axes.length} axes`);
  const piece = 16 / bytesOf(found.type);
  const inPieces = (size: TensorMap["offset"]): boolean =>
    size.every(({ coefficient }) => coefficient % piece === 0);
  if (!inPieces(offset)) fail(kernel, `the map ${name} begins at no multiple of sixteen bytes`);
  checkSize(checker, offset);
  for (const [at, { extent, stride, box }] of axes.entries()) {
    checkSize(checker, extent);
    checkSize(checker, stride);
    if (at === 0 ? known(stride) !== 1 : !inPieces(stride))
      fail(kernel, `axis ${at} of the map ${name} steps by no multiple of sixteen bytes`);
    if (!Number.isInteger(box) || box < 1 || box > mostOfBox)
      fail(kernel, `a box of ${box} along axis ${at} of the map ${name}`);
  }
}

/** Who waits for registers that nobody gives back waits for ever. */
function verifyRegisters(kernel: Kernel): void {
  const said = statementsIn(kernel.body).filter((each): each is Of<"registers"> => each.op === "registers");
  if (said.length === 0) return;
  const warpgroups = kernel.workgroup / 128;
  const sum = said.reduce((all, { to }) => all + to, 0);
  if (said.length !== warpgroups || sum > registersOfWarpgroup * warpgroups)
    fail(
      kernel,
      `${said.length} of ${warpgroups} warpgroups take ${sum} registers for an invocation of each`,
    );
  for (const { to, more } of said)
    if (to % 8 !== 0 || to < 24 || to > 240 || more !== to >= registersOfWarpgroup)
      fail(kernel, `registers become ${more ? "more" : "fewer"}: ${to}`);
  if (someStatement(kernel.body, ({ op }) => op === "reduce"))
    fail(kernel, "a workgroup whose warpgroups have different registers reduces");
}

export function checkBulk(checker: Checker, scope: Scope, statement: BulkStmt): void {
  const { kernel, inVariant } = checker;
  if (!inVariant) fail(kernel, `${statement.op} where warpgroups do not multiply`);
  if (statement.op === "registers") return;
  const { signal, which } = statement;
  checkIs(checker, scope, which, "i32");
  if (!(kernel.signals ?? []).some(({ name }) => name === signal))
    fail(kernel, `there is no signal ${signal}`);
  if (statement.op === "await") checkIs(checker, scope, statement.phase, "i32");
  else if (statement.op === "arrive") {
    if (!Number.isInteger(statement.bytes) || statement.bytes < 0 || statement.bytes % 16 !== 0)
      fail(kernel, `${statement.bytes} bytes are announced to ${signal}`);
  } else {
    checkIs(checker, scope, statement.index, "i32");
    for (const each of statement.at) checkIs(checker, scope, each, "i32");
    checkBox(checker, statement);
  }
}

function checkBox({ kernel, memory }: Checker, { scratch, map, at }: Of<"bulk">): void {
  const to = kernel.scratch.find(({ name }) => name === scratch);
  const from = (kernel.maps ?? []).find(({ name }) => name === map);
  if (from === undefined) return fail(kernel, `there is no map ${map}`);
  if (to?.rows === undefined) return fail(kernel, `${scratch} is copied to and is no scratch with rows`);
  const { type } = memory.get(from.buffer)!;
  if (to.type !== type) fail(kernel, `${from.buffer} of ${type} is copied to ${scratch} of ${to.type}`);
  if (from.axes[0]!.box * bytesOf(type) !== to.rows)
    fail(kernel, `boxes of ${map} are ${from.axes[0]!.box} wide, rows of ${scratch} ${to.rows} bytes`);
  if (at.length !== from.axes.length)
    fail(kernel, `${map} has ${from.axes.length} axes, and a box begins at ${at.length} places`);
}
