// A number for each expert that was made by index notation is, inside of `weight`, what any other is: of the chosen experts. What is of another
// axis stays whole, also where that is as long.

import { expect, test } from "vitest";
import { identityOf, onLogits } from "./helpers/known-answers.ts";
import { runMechanism } from "./helpers/mechanism.ts";

const rows = [
  [-1, 2, 3, -4],
  [5, -1, -1, 7],
  [1, 2, 3, 4],
];
const positive = rows.map((row) => row.map((value) => Math.max(0, value)));
const sums = rows.map((row) => row.reduce((a, b) => a + b));
const shares = rows.map((_, t) => {
  const total = positive[t]!.reduce((a, b) => a + b);
  return positive[t]!.map((value) => value / total);
});
const whole = rows.map((row, t) => row.map((value) => (value > 0 ? sums[t]! : 0)));
const two = rows.map((row) =>
  row.map((value) => (row.filter((other) => other > value).length < 2 ? value : 0)),
);

test.each<[string, readonly (readonly number[])[]]>([
  ["s[n] = z[n]\n  choose where s > 0\n  weight s", positive],
  ["s[n] = z[n]\n  choose where s > 0\n  weight s / sum(s)", shares],
  ["s[n: N] = z[n]\n  r[m] = s[m] + 0 * z[m]\n  choose where z > 0\n  weight r", positive],
  ["place[n: N] = n\n  choose where z > 0\n  weight if place >= 0 then z else 0", positive],
  ["s[n] = z[n]\n  choose where z > 0 at most 4 by s\n  weight s", positive],
  ["s[n] = z[n]\n  choose until sum(if z > 0 then 1 else 0) >= 2 by z at most 2\n  weight s", two],
  ["s[n] = z[n]\n  choose until sum(if z > 0 then 1 else 0) >= 2 by z\n  weight s", two],
  ["s[n] = z[n]\n  choose top 4 of z\n  weight s", rows],
  ["place[n: N] = n\n  s = if place > 4 then 0 else z\n  choose top 4 of z\n  weight s", rows],
  ["s[n] = z[n]\n  choose top 4 of z\n  weight Twice(s) / 2", rows],
  ["s[n] = z[n]\n  r = Twice(s)\n  choose top 4 of z\n  weight r / 2", rows],
  ["y[d] = x[d]\n  choose where z > 0\n  weight sum(y)", whole],
  ["y[d: D] = x[d]\n  choose where z > 0\n  weight sum(y)", whole],
])("%s", (body, wanted) => {
  const text = `function Twice(M)(s: [M]) -> [M] { 2 * s }
router R(D, N)(x: [D]) -> gates[N] {
  param w: [D, N]
  z = x @ w
  ${body}
}`;
  const { out } = onLogits(text, "R { N = 4 }(x)", rows);
  expect(out.map((row) => row.map((value) => Math.round(value * 1e6) / 1e6))).toEqual(
    wanted.map((row) => row.map((value) => Math.round(value * 1e6) / 1e6)),
  );
});

test("a router that is given what an index made", () => {
  const text = `router Inner(N)(score: [N]) -> gates[N] {
  choose top 4 of score
  weight score
}
layer R(D, N)(x: [D]) -> [N] {
  param w: [D, N]
  s[n] = sum(x[d] * w[d, n] over d)
  g = Inner(s)
  given = g.weight
  place = one_hot(g.picks, N)
  y[n] = sum(given[j] * place[j, n] over j)
}`;
  const { out } = runMechanism({
    text,
    apply: "R { N = 4 }(x)",
    width: 4,
    batch: 1,
    length: 3,
    on: "double",
    tensors: { x: rows, w: identityOf(4) },
  });
  expect(out).toEqual(rows);
});
