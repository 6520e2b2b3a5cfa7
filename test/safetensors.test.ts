// Files written and read back, and a table of broken and hostile ones: each one clear error.

import { describe, expect, test } from "vitest";
import { runtimeCodes } from "../runtime/error-codes.ts";
import { UserError } from "../runtime/errors.ts";
import { decodeSafetensors, encodeSafetensors, type StoredTensor } from "../runtime/safetensors.ts";

const concat = (parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> => {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
};

/** A file of any header text and so many bytes of values. */
function file(header: string | Uint8Array, values = 0, length?: bigint): Uint8Array {
  const text = typeof header === "string" ? new TextEncoder().encode(header) : header;
  const start = new Uint8Array(8);
  new DataView(start.buffer).setBigUint64(0, length ?? BigInt(text.length), true);
  return concat([start, text, new Uint8Array(values)]);
}

function codeAndMessage(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    expect(runtimeCodes[error.code]).toBeDefined();
    expect(error.message).toContain("w.safetensors");
    expect(error.help).toBeTruthy();
    return `${error.code} ${error.message.replace(/^w.safetensors (is not a valid safetensors file: )?/, "")}`;
  }
  return "no error";
}

const tensors: StoredTensor[] = [
  { name: "b.weight", type: "f32", shape: [2, 3], values: Float32Array.of(1, -0, NaN, Infinity, 1e-40, 6) },
  { name: "a", type: "i32", shape: [], values: Int32Array.of(-7) },
  { name: "10", type: "f32", shape: [0, 4], values: new Float32Array(0) },
  { name: "__proto__", type: "i32", shape: [2], values: Int32Array.of(1, 2) },
];

describe("round trip", () => {
  test("values, shapes, order and metadata", () => {
    const bytes = concat(encodeSafetensors(tensors, { step: "12", naïve: "ü" }));
    const read = decodeSafetensors(bytes, "w.safetensors");
    expect({ ...read.metadata }).toEqual({ step: "12", naïve: "ü" });
    expect([...read.tensors.values()]).toEqual(
      expect.arrayContaining(
        tensors.map((tensor) => expect.objectContaining({ name: tensor.name, shape: tensor.shape })),
      ),
    );
    for (const { name, values } of tensors)
      expect(new Uint8Array(read.tensors.get(name)!.values.slice().buffer)).toEqual(
        new Uint8Array(values.slice().buffer),
      );
  });

  test("a file at an odd address is read too", () => {
    const bytes = concat(encodeSafetensors(tensors));
    const moved = new Uint8Array(bytes.length + 1);
    moved.set(bytes, 1);
    expect(decodeSafetensors(moved.subarray(1), "w.safetensors").tensors.get("a")!.values[0]).toBe(-7);
  });

  test("encoding refuses our own mistakes", () => {
    const a = tensors[1]!;
    expect(() => encodeSafetensors([a, a])).toThrow("internal:");
    expect(() => encodeSafetensors([{ ...a, shape: [2] }])).toThrow("internal:");
    expect(() => encodeSafetensors([{ ...a, type: "f32" }])).toThrow("internal:");
  });
});

const one = (entry: string): string => `{"w":${entry}}`;
const f32 = (shape: string, begin: number, end: number): string =>
  `{"dtype":"F32","shape":${shape},"data_offsets":[${begin},${end}]}`;

test.each<[string, Uint8Array, string]>([
  ["empty", new Uint8Array(0), "R0202 is truncated: it has 0 bytes, a header needs at least 8"],
  ["short", new Uint8Array(7), "R0202 is truncated: it has 7 bytes, a header needs at least 8"],
  ["huge length", file("{}", 0, 2n ** 63n), "R0204 it claims a header of 9223372036854775808 bytes"],
  [
    "negative length",
    file("{}", 0, 2n ** 64n - 1n),
    "R0204 it claims a header of 18446744073709551615 bytes",
  ],
  ["long length", file("{}", 0, 3n), "R0202 is truncated: its header should take 3 bytes, only 2 are there"],
  ["no header", file("", 4), "R0204 its header is empty"],
  ["not UTF-8", file(Uint8Array.of(0x7b, 0xff, 0x7d)), "R0204 its header is not UTF-8 text"],
  ["not JSON", file("{oops}"), "R0204 its header is not JSON"],
  ["a list", file("[1]"), "R0204 its header is not a JSON object"],
  ["deep nesting", file("[".repeat(100_000)), "R0204 its header is not JSON"],
  ["entry is a number", file(one("1")), 'R0204 the entry of "w" is not an object'],
  ["no dtype", file(one('{"shape":[1],"data_offsets":[0,4]}'), 4), 'R0204 "w" has no dtype'],
  [
    "wrong dtype",
    file(one('{"dtype":"F8_E4M3","shape":[4],"data_offsets":[0,4]}'), 4),
    'R0205 "w" in w.safetensors has type "F8_E4M3", which is not read',
  ],
  [
    "a type that objects have",
    file(one('{"dtype":"constructor","shape":[4],"data_offsets":[0,4]}'), 4),
    'R0205 "w" in w.safetensors has type "constructor", which is not read',
  ],
  [
    "half as many bytes as 16 bits take",
    file(one('{"dtype":"BF16","shape":[4],"data_offsets":[0,4]}'), 4),
    'R0204 "w" has shape [4], which takes 8 bytes, but is given 4',
  ],
  [
    "64 bits in the place of 32",
    file(one('{"dtype":"I64","shape":[2],"data_offsets":[0,8]}'), 8),
    'R0204 "w" has shape [2], which takes 16 bytes, but is given 8',
  ],
  ["negative shape", file(one(f32("[-1]", 0, 4)), 4), 'R0204 the shape of "w" is not a list of sizes'],
  ["fractional shape", file(one(f32("[0.5]", 0, 4)), 4), 'R0204 the shape of "w" is not a list of sizes'],
  [
    "no offsets",
    file(one('{"dtype":"F32","shape":[1]}'), 4),
    'R0204 the offsets of "w" are not two positions',
  ],
  [
    "one offset",
    file(one('{"dtype":"F32","shape":[1],"data_offsets":[0]}'), 4),
    'R0204 the offsets of "w" are not two positions',
  ],
  ["backwards", file(one(f32("[1]", 4, 0)), 4), 'R0204 the offsets of "w" run backwards (4 to 0)'],
  [
    "size and shape differ",
    file(one(f32("[2]", 0, 4)), 4),
    'R0204 "w" has shape [2], which takes 8 bytes, but is given 4',
  ],
  [
    "size overflows",
    file(one(f32("[9007199254740991,9007199254740991]", 0, 4)), 4),
    'R0204 "w" has shape [9007199254740991, 9007199254740991], which takes 3.2451855365842665e+32 bytes, but is given 4',
  ],
  [
    "out of range",
    file(one(f32("[250000000]", 0, 1_000_000_000)), 4),
    'R0202 is truncated: "w" ends at byte 1000000000 of the values, but there are only 4',
  ],
  ["gap at the start", file(one(f32("[1]", 4, 8)), 8), 'R0204 there is a gap of 4 bytes before "w"'],
  [
    "gap between",
    file(`{"v":${f32("[1]", 0, 4)},"w":${f32("[1]", 8, 12)}}`, 12),
    'R0204 there is a gap of 4 bytes before "w"',
  ],
  [
    "overlap",
    file(`{"v":${f32("[2]", 0, 8)},"w":${f32("[1]", 4, 8)}}`, 8),
    'R0204 the bytes of "w" overlap those of another tensor',
  ],
  [
    "same bytes",
    file(`{"v":${f32("[1]", 0, 4)},"w":${f32("[1]", 0, 4)}}`, 4),
    'R0204 the bytes of "w" overlap those of another tensor',
  ],
  [
    "bytes left over",
    file(one(f32("[1]", 0, 4)), 6),
    "R0204 2 bytes after the last tensor belong to nothing",
  ],
  [
    "same name twice",
    file(`{"w":${f32("[1]", 0, 4)},"\\u0077":${f32("[1]", 0, 4)}}`, 4),
    'R0204 its header has "w" twice',
  ],
  [
    "same key twice",
    file('{"w":{"dtype":"F32","dtype":"I32","shape":[1],"data_offsets":[0,4]}}', 4),
    'R0204 its header has "dtype" twice',
  ],
  ["metadata not text", file('{"__metadata__":{"step":1}}'), 'R0204 its metadata "step" is not a string'],
  ["metadata a list", file('{"__metadata__":[]}'), "R0204 its metadata is not an object"],
  [
    "path up",
    file(`{"../w":${f32("[1]", 0, 4)}}`, 4),
    'R0204 the tensor name "../w" is a path out of the file',
  ],
  [
    "path up within",
    file(`{"a/../../w":${f32("[1]", 0, 4)}}`, 4),
    'R0204 the tensor name "a/../../w" is a path out of the file',
  ],
  [
    "absolute path",
    file(`{"/etc/w":${f32("[1]", 0, 4)}}`, 4),
    'R0204 the tensor name "/etc/w" is a path out of the file',
  ],
  ["drive", file(`{"C:w":${f32("[1]", 0, 4)}}`, 4), 'R0204 the tensor name "C:w" is a path out of the file'],
  [
    "backslash",
    file(`{"a\\\\w":${f32("[1]", 0, 4)}}`, 4),
    'R0204 the tensor name "a\\\\w" is a path out of the file',
  ],
  [
    "zero byte",
    file(`{"w\\u0000":${f32("[1]", 0, 4)}}`, 4),
    'R0204 the tensor name "w\\u0000" has control characters',
  ],
  ["no name", file(`{"":${f32("[1]", 0, 4)}}`, 4), 'R0204 the tensor name "" is empty'],
])("hostile: %s", (_, bytes, expected) => {
  expect(codeAndMessage(() => decodeSafetensors(bytes, "w.safetensors"))).toBe(expected);
});

describe("other types of elements", () => {
  /** A file of one tensor; `odd` puts its values at an odd address. */
  function read(dtype: string, values: ArrayBufferView, odd = false): StoredTensor {
    const { byteLength } = values;
    const length = (values as ArrayBufferView & { length: number }).length;
    const pad = odd ? `"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},` : "";
    const at = odd ? 1 : 0;
    const header = `{${pad}"w":{"dtype":"${dtype}","shape":[${length}],"data_offsets":[${at},${at + byteLength}]}}`;
    const bytes = new Uint8Array(values.buffer, values.byteOffset, byteLength);
    const whole = concat([file(header), new Uint8Array(at), bytes]);
    return decodeSafetensors(whole, "w.safetensors").tensors.get("w")!;
  }
  const table: readonly (readonly [string, ArrayBufferView, readonly number[]])[] = [
    [
      "F16",
      // 1, -2, largest, smallest normal, smallest, -0, infinities, NaN, a third
      Uint16Array.of(0x3c00, 0xc000, 0x7bff, 0x0400, 0x0001, 0x8000, 0x7c00, 0xfc00, 0x7e01, 0x3555),
      [1, -2, 65504, 2 ** -14, 2 ** -24, -0, Infinity, -Infinity, NaN, 0.333251953125],
    ],
    [
      "BF16",
      // 1, -2, pi to 8 bits, largest, smallest, -0, infinity, NaN
      Uint16Array.of(0x3f80, 0xc000, 0x4049, 0x7f7f, 0x0001, 0x8000, 0x7f80, 0x7fc0),
      [1, -2, 3.140625, (2 - 2 ** -7) * 2 ** 127, 2 ** -133, -0, Infinity, NaN],
    ],
    ["F64", Float64Array.of(0.1, -1e300, 1e-50), [Math.fround(0.1), -Infinity, 0]],
    ["I64", BigInt64Array.of(-(2n ** 31n), 2n ** 31n - 1n, 0n), [-(2 ** 31), 2 ** 31 - 1, 0]],
    ["U64", BigUint64Array.of(7n), [7]],
    ["U32", Uint32Array.of(2 ** 31 - 1), [2 ** 31 - 1]],
    ["I16", Int16Array.of(-32768, 5), [-32768, 5]],
    ["U16", Uint16Array.of(65535), [65535]],
    ["I8", Int8Array.of(-1, 127, 3), [-1, 127, 3]],
    ["U8", Uint8Array.of(255), [255]],
    ["BOOL", Uint8Array.of(1, 0, 1), [1, 0, 1]],
  ];
  test.each(table)("%s", (dtype, stored, expected) => {
    for (const odd of [false, true]) {
      const { type, values } = read(dtype, stored, odd);
      expect(type).toBe(/F/.test(dtype) ? "f32" : "i32");
      expect([...values]).toEqual(expected);
    }
  });

  test.each<[string, ArrayBufferView]>([
    ["I64", BigInt64Array.of(0n, 2n ** 31n)],
    ["I64", BigInt64Array.of(-(2n ** 31n) - 1n)],
    ["U64", BigUint64Array.of(2n ** 64n - 1n)],
    ["U32", Uint32Array.of(2 ** 31)],
  ])("%s beyond 32 bits is an error where it is wanted, and no other tensor's", (dtype, stored) => {
    const tensor = read(dtype, stored);
    expect(codeAndMessage(() => tensor.values)).toBe(
      `R0205 "w" in w.safetensors holds a whole number of type ${dtype} that 32 bits do not hold`,
    );
  });

  test("every number of 16 bits, as the formats say it", () => {
    const all = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i);
    const half = read("F16", all).values;
    const brain = read("BF16", all).values;
    const formats = [
      [half, 5, 10],
      [brain, 8, 7],
    ] as const;
    for (const [values, exponents, fractions] of formats)
      for (let bits = 0; bits < 2 ** 16; bits++) {
        const bias = 2 ** (exponents - 1) - 1;
        const exponent = Math.floor(bits / 2 ** fractions) % 2 ** exponents;
        const fraction = (bits % 2 ** fractions) / 2 ** fractions;
        const size =
          exponent === 2 ** exponents - 1
            ? fraction === 0
              ? Infinity
              : NaN
            : exponent === 0
              ? fraction * 2 ** (1 - bias)
              : (1 + fraction) * 2 ** (exponent - bias);
        const expected = bits < 2 ** 15 ? size : -size;
        if (!Object.is(values[bits], expected)) expect([bits, values[bits]]).toEqual([bits, expected]);
      }
  });
});

test("any cut of a good file is one error", () => {
  const bytes = concat(encodeSafetensors(tensors, { a: "b" }));
  for (let end = 0; end < bytes.length; end++)
    expect(codeAndMessage(() => decodeSafetensors(bytes.subarray(0, end), "w.safetensors"))).toMatch(
      /^R020[24]/,
    );
});
