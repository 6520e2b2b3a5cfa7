// What a session keeps for the sizes that it was asked for: the last sixteen, and always its own.

import { expect, test } from "vitest";
import { Bindings } from "../runtime/bindings.ts";
import type { Sizes } from "../runtime/size.ts";
import { regression } from "./helpers/hand-written.ts";

test("the binding that was unused for longest goes, never the session's own", () => {
  const { program } = regression();
  const dropped: number[] = [];
  const make = (sizes: Sizes): { readonly sizes: Sizes } => ({ sizes });
  const bindings = new Bindings(program, { B: 1 }, make, ({ sizes }) => dropped.push(sizes["B"]!));
  const second = bindings.at({ B: 2 });
  for (let size = 3; size <= 16; size++) bindings.at({ B: size });
  expect(bindings.at({ B: 2 })).toBe(second);
  expect(dropped).toEqual([]);
  bindings.at({ B: 17 });
  bindings.at({ B: 18 });
  expect(dropped).toEqual([3, 4]);
  expect(bindings.at({})).toBe(bindings.current);
  bindings.resize({ B: 2 });
  expect(bindings.current).toBe(second);
  for (let size = 19; size <= 34; size++) bindings.at({ B: size });
  expect(dropped).toContain(1);
  expect(dropped).not.toContain(2);
  expect([...bindings.all()]).toHaveLength(16);
  expect(() => bindings.at({ B: 0 })).toThrow("the size `B` cannot be 0");
});
