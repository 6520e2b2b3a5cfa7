// Checkpoints: what is written is read back to the bit; every damage is one error; bad luck while writing never costs
// the checkpoint before.

import { execFileSync, spawn } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { crc32, hex8 } from "../runtime/checkpoint-checksum.ts";
import {
  checkSameData,
  decodeCheckpoint,
  decodeStored,
  encodeCheckpoint,
  signature,
  type RunState,
} from "../runtime/checkpoint.ts";
import {
  checkpointPath,
  readCheckpoint,
  readRunState,
  writeCheckpoint,
  type CheckpointFiles,
} from "../runtime/checkpoint-file.ts";
import { UserError } from "../runtime/errors.ts";
import type { Tensor } from "../runtime/program.ts";
import { encodeSafetensors } from "../runtime/safetensors.ts";

const tensor = (name: string, shape: number[], type: "f32" | "i32" = "f32"): Tensor => ({
  name,
  role: "parameter",
  type,
  shape,
  init: { kind: "constant", value: 0 },
});
const tensors = [tensor("block.0.w", [2, 3]), tensor("bias", [3]), tensor("steps", [1], "i32")];
const valuesAt = (step: number) => (name: string) =>
  name === "steps" ? Int32Array.of(step) : new Float32Array(name === "bias" ? 3 : 6).fill(step + 0.1);
const stateAt = (step: number): RunState => ({
  model: "Small",
  step,
  position: 2 * step,
  seed: 7,
  best: 0.1,
  waited: 2,
  data: "ab12",
});
const partsAt = (step: number) => encodeCheckpoint(tensors, valuesAt(step), stateAt(step));
const bytesAt = (step: number): Uint8Array<ArrayBuffer> => new Uint8Array(Buffer.concat(partsAt(step)));

function errorOf(action: () => unknown): UserError {
  try {
    action();
  } catch (error) {
    if (error instanceof UserError) return error;
    throw error;
  }
  throw new Error("no error");
}

const root = fs.mkdtempSync(join(tmpdir(), "moe-checkpoint-"));
afterAll(() => fs.rmSync(root, { recursive: true }));
let folder: string;
let count = 0;
beforeEach(() => {
  folder = join(root, String(count++));
});

test("crc32 is the one of gzip", () => {
  const text = new TextEncoder().encode("123456789");
  expect(hex8(crc32(text))).toBe("cbf43926");
  expect(crc32(text.subarray(5), crc32(text.subarray(0, 5)))).toBe(crc32(text));
  expect(crc32(new Uint8Array(0))).toBe(0);
});

describe("encode and decode", () => {
  test("values and state come back", () => {
    const { state, tensors: read } = decodeCheckpoint(bytesAt(3), "last", tensors);
    expect(state).toEqual(stateAt(3));
    for (const { name } of tensors) expect(read.get(name)).toEqual(valuesAt(3)(name));
  });

  test.each([Infinity, NaN, 0.1 + 0.2, 5e-324])("best loss %s", (best) => {
    const parts = encodeCheckpoint(tensors, valuesAt(1), {
      model: "m",
      step: 1,
      position: 1,
      seed: -3,
      best,
    });
    const { state } = decodeCheckpoint(new Uint8Array(Buffer.concat(parts)), "last", tensors);
    expect(state).toEqual({ model: "m", step: 1, position: 1, seed: -3, best });
  });

  test("values in shared memory are written", () => {
    const shared = new Float32Array(new SharedArrayBuffer(24)).fill(2.5);
    const list = [tensor("w", [6])];
    writeCheckpoint(
      folder,
      "last",
      encodeCheckpoint(list, () => shared, stateAt(1)),
    );
    expect(readCheckpoint(folder, list).tensors.get("w")).toEqual(new Float32Array(6).fill(2.5));
  });

  test("every flipped bit is found", () => {
    const bytes = bytesAt(3);
    const seen = new Set<string>();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      seen.add(errorOf(() => decodeCheckpoint(bytes, "last", tensors)).code);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
    }
    expect([...seen].sort()).toEqual(["R0202", "R0203", "R0204", "R0207"]);
  });

  test("every truncation is found", () => {
    const bytes = bytesAt(3);
    for (let end = 0; end < bytes.length; end++)
      expect(errorOf(() => decodeCheckpoint(bytes.slice(0, end), "last", tensors)).code).toBe("R0202");
  });

  test.each<[string, Tensor[], string]>([
    [
      "shape",
      [tensor("block.0.w", [3, 2]), ...tensors.slice(1)],
      "`block.0.w` is [2, 3] in it, [3, 2] in the model",
    ],
    ["type", [...tensors.slice(0, 2), tensor("steps", [1])], "`steps` is i32 in it, f32 in the model"],
    ["missing", [...tensors, tensor("gate", [1])], "`gate` is missing in it"],
    ["extra", tensors.slice(1), "the model has no `block.0.w`"],
    [
      "another model",
      ["a", "b", "c", "d"].map((name) => tensor(name, [1])),
      "`a` is missing in it; `b` is missing in it; `c` is missing in it, and 4 more differences",
    ],
  ])("of another model: %s", (_, wanted, expected) => {
    const error = errorOf(() => decodeCheckpoint(bytesAt(1), "runs/last.safetensors", wanted));
    expect(`${error.code} ${error.message}`).toBe(
      `R0206 runs/last.safetensors is of another model: ${expected}`,
    );
    expect(error.help).toContain("`Small`");
  });

  test("a plain safetensors file is no checkpoint", () => {
    const bytes = new Uint8Array(
      Buffer.concat(
        encodeSafetensors([{ name: "bias", type: "f32", shape: [3], values: new Float32Array(3) }]),
      ),
    );
    expect(errorOf(() => decodeCheckpoint(bytes, "x.safetensors", tensors)).code).toBe("R0207");
  });

  test("who wants tensors alone takes any file, and of a checkpoint a whole one", () => {
    const plain = new Uint8Array(
      Buffer.concat(
        encodeSafetensors([{ name: "bias", type: "f32", shape: [3], values: new Float32Array(3) }]),
      ),
    );
    expect([...decodeStored(plain, "x").tensors.keys()]).toEqual(["bias"]);
    const whole = bytesAt(1);
    expect(decodeStored(whole, "last").tensors.get("bias")?.values).toEqual(valuesAt(1)("bias"));
    whole[whole.length - 1]! ^= 1;
    expect(errorOf(() => decodeStored(whole, "last")).code).toBe("R0203");
    // Its checksum is right, but it does not say where the run stood.
    const stateless = new Uint8Array(
      Buffer.concat(encodeCheckpoint(tensors, valuesAt(1), {} as unknown as RunState)),
    );
    expect(errorOf(() => decodeStored(stateless, "last")).code).toBe("R0207");
  });

  test("other data are not resumed on", () => {
    const { state } = decodeCheckpoint(bytesAt(1), "last", tensors);
    expect(() => checkSameData(state, "ab12", "last")).not.toThrow();
    expect(errorOf(() => checkSameData(state, "ab13", "last")).code).toBe("R0210");
  });

  test("the signature follows names, types and shapes, not their order", () => {
    expect(signature([...tensors].reverse())).toBe(signature(tensors));
    expect(signature([tensor("block.0.w", [6])])).not.toBe(signature([tensor("block.0.w", [2, 3])]));
    expect(signature([tensor("w", [6], "i32")])).not.toBe(signature([tensor("w", [6])]));
  });
});

const stepOf = (kind: "last" | "previous" | "best"): number =>
  readRunState(checkpointPath(folder, kind)).step;

describe("files", () => {
  test("last, previous and best", () => {
    for (const step of [1, 2, 3]) writeCheckpoint(folder, "last", partsAt(step));
    writeCheckpoint(folder, "best", partsAt(2));
    expect([stepOf("last"), stepOf("previous"), stepOf("best")]).toEqual([3, 2, 2]);
    expect(fs.readdirSync(folder).sort()).toEqual([
      "best.safetensors",
      "last.safetensors",
      "previous.safetensors",
    ]);
    expect(readCheckpoint(folder, tensors).state.step).toBe(3);
  });

  test("missing, and what there is instead", () => {
    expect(errorOf(() => readCheckpoint(folder, tensors))).toMatchObject({
      code: "R0201",
      help: "train first, or give the folder of another run",
    });
    writeCheckpoint(folder, "best", partsAt(2));
    expect(errorOf(() => readCheckpoint(folder, tensors)).help).toBe(
      "there is a best.safetensors in its folder",
    );
  });

  test("a folder where the file should be", () => {
    fs.mkdirSync(checkpointPath(folder, "last"), { recursive: true });
    expect(errorOf(() => readCheckpoint(folder, tensors)).message).toContain("cannot read");
  });

  test("a file where the folder should be", () => {
    fs.mkdirSync(folder);
    fs.writeFileSync(join(folder, "run"), "");
    const error = errorOf(() => writeCheckpoint(join(folder, "run"), "last", partsAt(1)));
    expect(`${error.code} ${error.message}`).toContain("R0208 cannot write");
    expect(error.message).toContain("part of the path is a file, not a folder");
  });

  /** `node:fs` in which one function fails, from its n-th call on. */
  function failing(name: keyof CheckpointFiles, code: string, from = 1): CheckpointFiles {
    let calls = 0;
    const original = fs[name] as (...args: unknown[]) => unknown;
    const broken = (...args: unknown[]): unknown => {
      if (++calls >= from) throw Object.assign(new Error(`${code}: made by the test`), { code });
      return original(...args);
    };
    return { ...fs, [name]: broken } as CheckpointFiles;
  }

  test.each<[string, CheckpointFiles, string]>([
    ["disk full at once", failing("writeSync", "ENOSPC"), "the disk is full"],
    ["disk full later", failing("writeSync", "ENOSPC", 3), "the disk is full"],
    [
      "disk writes nothing",
      { ...fs, writeSync: (() => 0) as unknown as CheckpointFiles["writeSync"] },
      "the disk is full",
    ],
    ["sync fails", failing("fsyncSync", "EIO"), "the disk reports an error"],
    ["rename of previous fails", failing("renameSync", "ENOSPC", 1), "the disk is full"],
    ["rename of last fails", failing("renameSync", "EACCES", 2), "permission is denied"],
    ["quota", failing("openSync", "EDQUOT"), "the disk quota is used up"],
    ["read-only", failing("openSync", "EROFS"), "the disk is read-only"],
  ])("%s: one error, last intact, nothing left", (_, files, reason) => {
    writeCheckpoint(folder, "last", partsAt(1));
    writeCheckpoint(folder, "last", partsAt(2));
    const error = errorOf(() => writeCheckpoint(folder, "last", partsAt(3), files));
    expect(`${error.code} ${error.message}`).toBe(
      `R0208 cannot write ${checkpointPath(folder, "last")}: ${reason}`,
    );
    expect(error.help).toContain("intact");
    expect(stepOf("last")).toBe(2);
    expect(fs.readdirSync(folder).sort()).toEqual(["last.safetensors", "previous.safetensors"]);
  });

  test("no hard links: a copy", () => {
    const files = failing("linkSync", "EPERM");
    for (const step of [1, 2]) writeCheckpoint(folder, "last", partsAt(step), files);
    expect([stepOf("last"), stepOf("previous")]).toEqual([2, 1]);
  });

  test("short writes are continued", () => {
    const files = {
      ...fs,
      writeSync: ((file: number, bytes: Uint8Array, at: number, length: number) =>
        fs.writeSync(file, bytes, at, Math.min(5, length))) as CheckpointFiles["writeSync"],
    };
    writeCheckpoint(folder, "last", partsAt(9), files);
    expect(stepOf("last")).toBe(9);
  });

  test("our own mistakes stay what they are", () => {
    const files = {
      ...fs,
      writeSync: (() => {
        throw new TypeError("oops");
      }) as CheckpointFiles["writeSync"],
    };
    expect(() => writeCheckpoint(folder, "last", partsAt(1), files)).toThrow(TypeError);
  });
});

test.skipIf(process.platform === "win32")("a pipe is no checkpoint, and is not waited for", () => {
  fs.mkdirSync(folder, { recursive: true });
  const pipe = join(folder, "pipe.safetensors");
  execFileSync("mkfifo", [pipe]);
  // Open at both ends, so that a reader that waits would fail here and not hang.
  const other = fs.openSync(pipe, "r+");
  try {
    const { code, message } = errorOf(() => readCheckpoint(pipe, tensors));
    expect([code, message]).toEqual(["R0209", `cannot read ${pipe}: it is no ordinary file`]);
  } finally {
    fs.closeSync(other);
  }
});

test("killed at any moment: last is complete", async () => {
  const script = join(root, "writer.mjs");
  await build({
    stdin: {
      contents: `
        import { encodeCheckpoint } from "./runtime/checkpoint.ts";
        import { writeCheckpoint } from "./runtime/checkpoint-file.ts";
        const tensors = [{ name: "w", role: "parameter", type: "f32", shape: [50000], init: { kind: "constant", value: 0 } }];
        for (let step = 1; ; step++) {
          const state = { model: "m", step, position: step, seed: 1 };
          writeCheckpoint(process.argv[2], "last", encodeCheckpoint(tensors, () => new Float32Array(50000).fill(step), state));
          if (step === 2) console.log("ready");
        }`,
      resolveDir: join(import.meta.dirname, ".."),
      loader: "ts",
    },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: script,
    logLevel: "silent",
  });
  const large = [tensor("w", [50000])];
  for (let round = 0; round < 6; round++) {
    const run = join(folder, String(round));
    const child = spawn(process.execPath, [script, run], { stdio: ["ignore", "pipe", "inherit"] });
    await new Promise((resolve) => child.stdout.once("data", resolve));
    await new Promise((resolve) => setTimeout(resolve, 3 * round + Math.random() * 10));
    child.kill("SIGKILL");
    await new Promise((resolve) => child.once("close", resolve));
    const last = readCheckpoint(run, large);
    expect(last.tensors.get("w")!.every((value) => value === last.state.step)).toBe(true);
    const previous = readCheckpoint(checkpointPath(run, "previous"), large).state.step;
    expect(last.state.step - previous).toBeLessThanOrEqual(1);
    // The next run writes over whatever was left.
    writeCheckpoint(
      run,
      "last",
      encodeCheckpoint(large, () => new Float32Array(50000), stateAt(0)),
    );
    expect(readRunState(run).step).toBe(0);
  }
});
