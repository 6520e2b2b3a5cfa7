// Any text gives diagnostics or a model, never a stack trace: real programs, broken in small ways.
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { checkModel } from "../compiler/check/check.ts";
import { elaborateModel, modelsOf } from "../compiler/elaborate/model.ts";
import { GraphBuilder } from "../compiler/graph-builder.ts";
import { hasErrors } from "../compiler/model.ts";
import { loadModel } from "../compiler/resolve.ts";
import { catalogue } from "../compiler/diagnostics/catalogue.ts";
import { hostOf } from "./helpers/elaborate.ts";

const examples = readdirSync("examples", { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".moe"))
  .map((file) => readFileSync(`examples/${file}`, "utf8"));
const library = readdirSync("stdlib")
  .filter((file) => file.endsWith(".moe"))
  .map((file) => readFileSync(`stdlib/${file}`, "utf8"));
const texts = [
  ...examples,
  ...library,
  ...catalogue.filter(({ code }) => code >= "M0100").flatMap(({ failing, fixed }) => [failing, fixed]),
];
const pieces = texts.map((text) => text.match(/[A-Za-z_]\w*|[\d.]+(?:e-?\d+)?|\s+|[^\sA-Za-z_]/g) ?? []);

/** A generator of whole numbers below a bound. */
function dice(seed: number): (bound: number) => number {
  let state = seed >>> 0;
  return (bound) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * bound);
  };
}

/** One to four tokens removed, doubled, swapped, or replaced by a token of some program. */
function broken(roll: (bound: number) => number): string {
  const tokens = [...pieces[roll(pieces.length)]!];
  const words = pieces[roll(pieces.length)]!.filter((token) => !/^\s+$/.test(token));
  for (let times = 1 + roll(3); times > 0; times--) {
    const at = roll(tokens.length);
    const how = roll(5);
    if (how === 0) tokens.splice(at, 1);
    else if (how === 1) tokens.splice(at, 0, tokens[roll(tokens.length)]!);
    else if (how === 2) tokens[at] = words[roll(words.length)] ?? "";
    else if (how === 3) {
      const names = tokens.flatMap((token, i) => (/^[A-Za-z_]/.test(token) ? [i] : []));
      const [a, b] = [names[roll(names.length)]!, names[roll(names.length)]!];
      [tokens[a], tokens[b]] = [tokens[b]!, tokens[a]!];
    } else {
      const numbers = tokens.flatMap((token, i) => (/^\d/.test(token) ? [i] : []));
      const one = numbers[roll(Math.max(1, numbers.length))];
      if (one !== undefined) tokens[one] = ["0", "1", "-1", "2.5", "7", "1e9", "x"][roll(7)]!;
    }
  }
  return tokens.join("");
}

test("broken programs are told what is wrong, and nothing else happens", () => {
  const roll = dice(Number(process.env["FUZZ_SEED"] ?? 1));
  const until = Date.now() + Number(process.env["FUZZ_MS"] ?? 6000);
  let compiled = 0;
  let refused = 0;
  // A busy machine takes longer for what the test is about.
  const enough = (): boolean => Date.now() >= until && compiled > 20 && refused > 20;
  for (let i = 0; i < 100000 && !enough(); i++) {
    const text = broken(roll);
    try {
      const model = loadModel(hostOf({ "main.moe": text }), "main.moe");
      const found = [...model.diagnostics, ...checkModel(model)];
      for (const { at } of found) expect(at.span.start).toBeLessThanOrEqual(at.span.end);
      if (hasErrors(found)) {
        refused++;
        continue;
      }
      for (const { name } of modelsOf(model)) {
        const { built, diagnostics } = elaborateModel(model, name.text, {
          mode: i % 2 === 0 ? "training" : "inference",
          builder: new GraphBuilder(),
        });
        expect(built !== undefined || hasErrors(diagnostics)).toBe(true);
      }
      compiled++;
    } catch (error) {
      throw new Error(`${String(error)}\n${text}`, { cause: error });
    }
  }
  if (process.env["FUZZ_MS"] !== undefined) console.log({ compiled, refused });
  expect(compiled).toBeGreaterThan(10);
  expect(refused).toBeGreaterThan(10);
}, 60_000);
