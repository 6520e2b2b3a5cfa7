// The bench: measures, prints, and on request rewrites the tables of docs/bench.md. Run by scripts/bench.mjs (npm run bench).
// What is claimed about speed and memory is a row here, with its goal.

import { readFileSync, writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { Command } from "commander";
import { format } from "prettier";
import { describeMachine, machine } from "./machine.ts";
import type { MeasureOptions } from "./measure.ts";
import { peersSection } from "./sections/peers.ts";
import { compilerSection, memorySection } from "./sections/compiler.ts";
import { contractionSection, threadsSection } from "./sections/contraction.ts";
import { generalitySection } from "./sections/generality.ts";
import { layerSection } from "./sections/layer.ts";
import { webgpuSection } from "./sections/webgpu.ts";
import { markdownSection, meets, printSection, type Section } from "./section.ts";

const page = "docs/bench.md";

/** The places of the page that are rewritten, and what they hold: every other part is of the first. What WebGPU reaches says
 * something where there is a GPU, which is another machine, so it can be written alone. */
const blocks = ["last run", "last run of webgpu"] as const;
const blockOf = (part: string): (typeof blocks)[number] => (part === "webgpu" ? blocks[1] : blocks[0]);

/** `peers`: with other libraries. */
type Part = (options: MeasureOptions, peers: boolean) => Section | Promise<Section>;

/** In the order of a whole run. */
const parts: Readonly<Record<string, Part>> = {
  contraction: (options) => contractionSection({ ...options, milliseconds: 60, warm: 150 }),
  threads: (options) => threadsSection({ ...options, warm: 2000 }),
  layer: (options) => layerSection(options),
  generality: (options) => generalitySection({ ...options, milliseconds: 60, warm: 300 }),
  compiler: ({ rounds }) => compilerSection(Math.min(rounds, 3)),
  memory: ({ rounds }) => memorySection(Math.min(rounds, 3)),
  peers: (options) => peersSection(options),
  webgpu: (options, withPeers) => webgpuSection({ ...options, withPeers }),
};

interface Options {
  readonly json?: boolean;
  readonly write?: boolean;
  readonly rounds: string;
  readonly peers: boolean;
}

async function bench(names: readonly string[], options: Options): Promise<void> {
  const whole = Object.keys(parts).filter((name) => options.peers || name !== "peers");
  const chosen = names.length > 0 ? names : whole;
  const unknown = chosen.find((name) => parts[name] === undefined);
  if (unknown !== undefined) {
    console.error(`there is no part "${unknown}": choose from ${Object.keys(parts).join(", ")}`);
    process.exitCode = 2;
    return;
  }
  const broken = whole.find(
    (part) => !chosen.includes(part) && chosen.some((each) => blockOf(each) === blockOf(part)),
  );
  if (options.write === true && broken !== undefined) {
    console.error(`--write is of a whole run, or of webgpu alone: ${broken} is missing`);
    process.exitCode = 2;
    return;
  }
  const here = describeMachine(machine());
  const busy = loadavg()[0]!;
  const say = (text: string): void => void (options.json !== true && process.stdout.write(text));
  say(`${here}\nload before the start: ${busy.toFixed(1)}\n`);
  const measure: MeasureOptions = { rounds: Number(options.rounds), milliseconds: 150, warm: 800 };
  const sections: Section[] = [];
  for (const name of chosen) {
    const section = await parts[name]!(measure, options.peers);
    sections.push(section);
    say(printSection(section));
  }
  const rows = sections.flatMap((section) => section.rows);
  const missed = rows.filter((row) => meets(row) === false).length;
  const goals = rows.filter((row) => meets(row) !== undefined).length;
  say(`\n${goals - missed} of ${goals} goals met\n`);
  if (options.json === true)
    console.log(JSON.stringify({ machine: machine(), load: busy, sections }, null, 2));
  if (options.write === true) {
    const head = `${here}. Load average before the start: ${busy.toFixed(1)}.`;
    for (const block of blocks) {
      const its = sections.filter(({ name }) => blockOf(name) === block);
      if (its.length > 0) await rewrite(block, head, its);
    }
  }
}

async function rewrite(block: string, head: string, sections: readonly Section[]): Promise<void> {
  const before = readFileSync(page, "utf8");
  const [begin, end] = [`<!-- begin of the ${block} -->`, `<!-- end of the ${block} -->`];
  const [from, to] = [before.indexOf(begin), before.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`internal: ${page} has no place for the ${block}`);
  const tables = sections.map(markdownSection).join("\n");
  const text = `${before.slice(0, from + begin.length)}\n\n${head}\n\n${tables}\n${before.slice(to)}`;
  writeFileSync(page, await format(text, { parser: "markdown", printWidth: 110 }));
}

await new Command("bench")
  .description("Measures what is claimed about speed and memory, as ratios within one run.")
  .argument("[parts...]", `of ${Object.keys(parts).join(", ")}; default: all`)
  .option("--json", "print JSON instead of tables")
  .option("--write", `rewrite the tables of ${page}`)
  .option("--rounds <n>", "repeats of every measurement", "7")
  .option("--no-peers", "without the libraries that this one is measured against")
  .action(bench)
  .parseAsync();
