// The WebAssembly instructions that the printer uses: name, opcode, type of the result. Everything that maps values to one
// value is in `instructions`; memory, control flow and locals are written by the encoder itself.
// Opcodes from 0x100 on stand for a prefix byte: 0xfc00 + n is `fc n`, 0xfd000 + n is `fd n` (SIMD, relaxed SIMD).

export type WasmType = "i32" | "f32" | "v128";

const saturating = 0xfc00;
const simd = 0xfd000;

export const instructions = {
  "i32.eqz": [0x45, "i32"],
  "i32.eq": [0x46, "i32"],
  "i32.ne": [0x47, "i32"],
  "i32.lt_s": [0x48, "i32"],
  "i32.gt_s": [0x4a, "i32"],
  "i32.le_s": [0x4c, "i32"],
  "f32.eq": [0x5b, "i32"],
  "f32.ne": [0x5c, "i32"],
  "f32.lt": [0x5d, "i32"],
  "f32.gt": [0x5e, "i32"],
  "f32.le": [0x5f, "i32"],
  "i32.add": [0x6a, "i32"],
  "i32.sub": [0x6b, "i32"],
  "i32.mul": [0x6c, "i32"],
  "i32.div_s": [0x6d, "i32"],
  "i32.div_u": [0x6e, "i32"],
  "i32.rem_u": [0x70, "i32"],
  "i32.and": [0x71, "i32"],
  "i32.or": [0x72, "i32"],
  "i32.xor": [0x73, "i32"],
  "i32.shl": [0x74, "i32"],
  "i32.shr_s": [0x75, "i32"],
  "i32.shr_u": [0x76, "i32"],
  "i32.rotl": [0x77, "i32"],
  "f32.abs": [0x8b, "f32"],
  "f32.neg": [0x8c, "f32"],
  "f32.ceil": [0x8d, "f32"],
  "f32.floor": [0x8e, "f32"],
  "f32.nearest": [0x90, "f32"],
  "f32.sqrt": [0x91, "f32"],
  "f32.add": [0x92, "f32"],
  "f32.sub": [0x93, "f32"],
  "f32.mul": [0x94, "f32"],
  "f32.div": [0x95, "f32"],
  "f32.convert_i32_s": [0xb2, "f32"],
  "i32.reinterpret_f32": [0xbc, "i32"],
  "i32.trunc_sat_f32_s": [saturating + 0, "i32"],
  "i32x4.splat": [simd + 0x11, "v128"],
  "f32x4.splat": [simd + 0x13, "v128"],
  "i32x4.extract_lane": [simd + 0x1b, "i32"],
  "i32x4.replace_lane": [simd + 0x1c, "v128"],
  "f32x4.extract_lane": [simd + 0x1f, "f32"],
  "f32x4.replace_lane": [simd + 0x20, "v128"],
  "i8x16.shuffle": [simd + 0x0d, "v128"],
  "i32x4.eq": [simd + 0x37, "v128"],
  "i32x4.ne": [simd + 0x38, "v128"],
  "i32x4.lt_s": [simd + 0x39, "v128"],
  "i32x4.gt_s": [simd + 0x3b, "v128"],
  "i32x4.le_s": [simd + 0x3d, "v128"],
  "f32x4.eq": [simd + 0x41, "v128"],
  "f32x4.ne": [simd + 0x42, "v128"],
  "f32x4.lt": [simd + 0x43, "v128"],
  "f32x4.gt": [simd + 0x44, "v128"],
  "f32x4.le": [simd + 0x45, "v128"],
  "v128.not": [simd + 0x4d, "v128"],
  "v128.and": [simd + 0x4e, "v128"],
  "v128.andnot": [simd + 0x4f, "v128"],
  "v128.or": [simd + 0x50, "v128"],
  "v128.xor": [simd + 0x51, "v128"],
  "v128.bitselect": [simd + 0x52, "v128"],
  "f32x4.demote_f64x2_zero": [simd + 0x5e, "v128"],
  "f64x2.promote_low_f32x4": [simd + 0x5f, "v128"],
  "f32x4.ceil": [simd + 0x67, "v128"],
  "f32x4.floor": [simd + 0x68, "v128"],
  "f32x4.nearest": [simd + 0x6a, "v128"],
  "f64x2.nearest": [simd + 0x94, "v128"],
  "i32x4.abs": [simd + 0xa0, "v128"],
  "i32x4.neg": [simd + 0xa1, "v128"],
  "i32x4.shl": [simd + 0xab, "v128"],
  "i32x4.shr_s": [simd + 0xac, "v128"],
  "i32x4.shr_u": [simd + 0xad, "v128"],
  "i32x4.add": [simd + 0xae, "v128"],
  "i32x4.sub": [simd + 0xb1, "v128"],
  "i32x4.mul": [simd + 0xb5, "v128"],
  "i32x4.min_s": [simd + 0xb6, "v128"],
  "i32x4.max_s": [simd + 0xb8, "v128"],
  "f32x4.abs": [simd + 0xe0, "v128"],
  "f32x4.neg": [simd + 0xe1, "v128"],
  "f32x4.sqrt": [simd + 0xe3, "v128"],
  "f32x4.add": [simd + 0xe4, "v128"],
  "f32x4.sub": [simd + 0xe5, "v128"],
  "f32x4.mul": [simd + 0xe6, "v128"],
  "f32x4.div": [simd + 0xe7, "v128"],
  "f32x4.pmin": [simd + 0xea, "v128"],
  "f32x4.pmax": [simd + 0xeb, "v128"],
  "f64x2.add": [simd + 0xf0, "v128"],
  "f64x2.sub": [simd + 0xf1, "v128"],
  "f64x2.mul": [simd + 0xf2, "v128"],
  "f64x2.div": [simd + 0xf3, "v128"],
  "f64x2.pmin": [simd + 0xf6, "v128"],
  "f64x2.pmax": [simd + 0xf7, "v128"],
  "i32x4.trunc_sat_f32x4_s": [simd + 0xf8, "v128"],
  "f32x4.convert_i32x4_s": [simd + 0xfa, "v128"],
  "i32x4.trunc_sat_f64x2_s_zero": [simd + 0xfc, "v128"],
  "f32x4.relaxed_madd": [simd + 0x105, "v128"],
  "i32x4.relaxed_laneselect": [simd + 0x10b, "v128"],
} as const satisfies Record<string, readonly [number, WasmType]>;

export type Instruction = keyof typeof instructions;

export const memoryInstructions = {
  "i32.load": [0x28, "i32"],
  "f32.load": [0x2a, "f32"],
  "v128.load": [simd + 0x00, "v128"],
  "v128.load32_splat": [simd + 0x09, "v128"],
  "i32.store": [0x36, "i32"],
  "f32.store": [0x38, "f32"],
  "v128.store": [simd + 0x0b, "v128"],
} as const satisfies Record<string, readonly [number, WasmType]>;

export type MemoryInstruction = keyof typeof memoryInstructions;

/** The bytes of an opcode as these tables write it. */
function opcodeBytes(code: number): readonly number[] {
  if (code < 0x100) return [code];
  const prefix = code >= simd ? 0xfd : 0xfc;
  const number = code - (code >= simd ? simd : saturating);
  return number < 0x80 ? [prefix, number] : [prefix, (number & 0x7f) | 0x80, number >> 7];
}

export interface Facts {
  readonly bytes: readonly number[];
  readonly type: WasmType;
  /** Different for each instruction. */
  readonly code: number;
  /** One immediate byte follows: the lane. */
  readonly hasLane: boolean;
  /** Cheap, and cannot trap: may run although the program would not have run it. */
  readonly cheap: boolean;
  readonly commutative: boolean;
}

const cheap = /^i32\.(add|sub|mul|shl|shr_u|shr_s|and|or|xor|eqz|eq|ne|lt_s|le_s|gt_s)$/;
const commutative = /^(i32|f32|i32x4|f32x4|v128)\.(add|mul|and|or|xor|eq|ne)$/;

/** What the printer wants to know of an instruction, looked up once. */
const facts: ReadonlyMap<string, Facts> = new Map(
  Object.entries({ ...instructions, ...memoryInstructions }).map(([name, [code, type]]) => [
    name,
    {
      bytes: opcodeBytes(code),
      type,
      code,
      hasLane: name.endsWith("extract_lane") || name.endsWith("replace_lane"),
      cheap: cheap.test(name),
      commutative: commutative.test(name),
    },
  ]),
);
export const factsOf = (name: Instruction | MemoryInstruction): Facts => facts.get(name)!;
