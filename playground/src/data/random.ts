// Random numbers from a seed, the same in every browser. In: a seed. Out: numbers. (The generator is mulberry32 of T. Ettinger,
// public domain; deviates by Box and Muller.)

export interface Random {
  /** From 0 to 1. */
  uniform(): number;
  /** Mean 0, deviation 1. */
  normal(): number;
}

export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const uniform = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return {
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  };
}
