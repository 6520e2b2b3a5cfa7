// The rounds of Threefry-2x32-20 as statements on unsigned x, y, key0, key1 and key2; see runtime/random.ts.

import { threefryRotations } from "../../runtime/random.ts";

/** `rotate`: y turned left by so many bits, as an operand of `^`. */
export const threefryRounds = (rotate: (by: number) => string): string[] =>
  Array.from({ length: 20 }, (_, round) => {
    const lines = ["  x += y;", `  y = ${rotate(threefryRotations[round % 8]!)} ^ x;`];
    if (round % 4 === 3) {
      const injection = (round + 1) / 4;
      const key = (at: number): string => `key${at % 3}`;
      lines.push(`  x += ${key(injection)};`, `  y += ${key(injection + 1)} + ${injection}u;`);
    }
    return lines.join("\n");
  });
