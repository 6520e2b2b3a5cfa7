// npm run gpu:bench: a routed layer on the GPU of this machine, forward and a step of training, at three shapes, for 4096, 1 and 64 tokens, in
// bf16 in three ways and in f32. In: the folder of an unpacked pack, seconds that it may take. Out: times, TFLOP/s, TB/s for few tokens, shares
// of the measured ceilings, ratios to PyTorch where it is there; and what was not measured, and why. The same in bench.json, which is
// written after every number. Exit code 3 without a GPU. What tells most comes first: ceilings, then bf16, then f32. Each layer has a process of its
// own (jobs.ts), so that what fails in one takes no other with it.

import { join } from "node:path";
import type { Ceiling, Ceilings } from "./ceilings.ts";
import { Deadline, exitWithoutDevice, runJob, type Job, type News } from "./jobs.ts";
import { nameOf, operations, tokenCounts, weightBytes } from "./layers.ts";
import { readManifest, type Layer } from "./manifest.ts";
import { keepRecord } from "./record.ts";
import { Torch, type PeerTimes } from "./torch.ts";
import { deviceOrSentence } from "./worker.ts";

const recordFile = "bench.json";
/** Weights of some gigabytes are made and written; PyTorch begins in some seconds, or many where its files were never read. */
const silence = 180;

const tera = (rate: number): string => (rate / 1e12).toPrecision(3);

export interface BenchOptions {
  readonly seconds?: number | undefined;
  /** Of the peer. */
  readonly script?: string;
  readonly tokens?: readonly number[];
  /** In tests: ceilings of a device that has none. */
  readonly ceilings?: Ceilings;
  /** The program whose processes measure; default: this one. */
  readonly module?: string;
}

/** Of one layer and number of tokens; what is missing was not measured. */
interface Row {
  readonly layer: string;
  readonly tokens: number;
  /** Milliseconds. */
  forward?: number;
  step?: number;
  /** Experts that at least one token chose. */
  chosen?: number;
  peer?: PeerTimes;
}

export async function bench(folder: string, options: BenchOptions = {}): Promise<number> {
  const device = deviceOrSentence();
  if (device === undefined) return exitWithoutDevice;
  const about = `${device.name}, ${device.processors} processors`;
  device.dispose();
  console.log(about);
  const run = new Bench(folder, about, options);
  await run.findCeilings();
  const { layers } = readManifest(folder);
  if (layers.length === 0) run.miss("layers: the pack was made without them");
  for (const alike of inOrder(layers)) await run.measure(alike);
  return run.end();
}

/** Numbers of layers that one peer is compared with: f32 last. */
function inOrder(layers: readonly Layer[]): readonly (readonly number[])[] {
  const groups = new Map<string, number[]>();
  for (const [at, { width, hidden, experts, k, precision }] of layers.entries()) {
    const key = [precision, width, hidden, experts, k].join();
    groups.set(key, [...(groups.get(key) ?? []), at]);
  }
  const isLast = ([at]: readonly number[]): number => (layers[at!]!.precision === "f32" ? 1 : 0);
  return [...groups.values()].sort((a, b) => isLast(a) - isLast(b));
}

class Bench {
  readonly #folder: string;
  readonly #about: string;
  readonly #options: BenchOptions;
  readonly #rows: Row[] = [];
  readonly #missing: string[] = [];
  readonly #deadline: Deadline;
  readonly #layers: readonly Layer[];
  #ceilings: Partial<Ceilings>;
  #torch: Torch | undefined;

  constructor(folder: string, about: string, options: BenchOptions) {
    [this.#folder, this.#about, this.#options] = [folder, about, options];
    this.#deadline = new Deadline(options.seconds);
    this.#layers = readManifest(folder).layers;
    this.#ceilings = options.ceilings ?? {};
  }

  miss(line: string): void {
    if (!this.#missing.includes(line)) this.#missing.push(line);
    this.#keep();
  }

  async findCeilings(): Promise<void> {
    const [folder, options] = [this.#folder, this.#options];
    if (options.ceilings === undefined)
      await this.#job({ kind: "ceilings", folder }, "ceilings", (news) => {
        if (news.is === "ceilings") this.#ceilings = news.ceilings;
      });
    const seconds = Math.min(silence, this.#deadline.left);
    if (seconds === 0) return;
    this.#torch = Torch.find(options.script ?? join(folder, "torch_peer.py"), seconds);
    const { about, why } = this.#torch;
    if (about === undefined) this.miss(`ratios to PyTorch: ${why}`);
    else this.#ceilings = withProducts(this.#ceilings, about);
    const { copy, bf16, f32 } = this.#ceilings;
    if (copy !== undefined) console.log(`copy ${tera(copy.rate)} TB/s (${copy.by})`);
    for (const [name, ceiling] of Object.entries({ bf16, f32 }))
      if (ceiling !== undefined) console.log(`${name} ${tera(ceiling.rate)} TFLOP/s (${ceiling.by})`);
    if (bf16?.by.startsWith("mma.sync") === true)
      this.miss("the matrix ceiling by cuBLAS: neither its library nor PyTorch is here");
    this.#keep();
  }

  /** Layers of one shape and precision, then the peer. */
  async measure(alike: readonly number[]): Promise<void> {
    const tokens = this.#options.tokens ?? tokenCounts;
    for (const at of alike) {
      const layer = this.#layers[at]!;
      const name = nameOf(layer);
      const rows = tokens.map((count): Row => ({ layer: name, tokens: count }));
      this.#rows.push(...rows);
      console.log(`\n${name}`);
      const job = { kind: "layer", folder: this.#folder, layer: at, tokens } as const;
      await this.#job(job, name, (news) => {
        const row = "tokens" in news ? rows.find((one) => one.tokens === news.tokens)! : undefined;
        if (row === undefined) return;
        if (news.is === "refused") return this.miss(`${name}, ${row.tokens} tokens: ${news.text}`);
        if (news.is === "forward" || news.is === "step") row[news.is] = news.milliseconds;
        if (news.is === "chosen") row.chosen = news.experts;
        if (news.is === "step") console.log(this.#lineOf(layer, row));
        this.#keep();
      });
      for (const row of rows)
        if (row.forward !== undefined && row.step === undefined) console.log(this.#lineOf(layer, row));
    }
    this.#compare(alike, tokens);
  }

  #lineOf(layer: Layer, { tokens, forward, step, chosen }: Row): string {
    const { copy, [layer.precision === "f32" ? "f32" : "bf16"]: most } = this.#ceilings;
    const work = operations(layer, tokens);
    const rated = (times: number, milliseconds: number): string => {
      const rate = (times * work) / (milliseconds / 1e3);
      return `${milliseconds.toFixed(3)} ms, ${tera(rate)} TFLOP/s${share(rate, most, "")}`;
    };
    const parts = [`  ${String(tokens).padStart(4)} tokens: forward ${rated(1, forward!)}`];
    if (tokens <= 64 && chosen !== undefined) {
      const rate = weightBytes(layer, chosen) / (forward! / 1e3);
      parts.push(`${tera(rate)} TB/s${share(rate, copy, " of the copy")}, ${chosen} experts`);
    }
    if (step !== undefined) parts.push(`step ${rated(3, step)}`);
    return parts.join("; ");
  }

  #compare(alike: readonly number[], tokens: readonly number[]): void {
    const seconds = Math.min(silence, this.#deadline.left);
    if (this.#torch?.about === undefined || seconds === 0) return;
    const peers = this.#torch.times(this.#layers[alike[0]!]!, tokens, seconds);
    const names = alike.map((at) => nameOf(this.#layers[at]!));
    for (const row of this.#rows.filter(({ layer }) => names.includes(layer))) {
      const peer = peers.get(row.tokens);
      if (peer === undefined)
        this.miss(`PyTorch's times of ${names[0]!}, ${row.tokens} tokens: it says none`);
      else this.#tellPeer(Object.assign(row, { peer }), names[0]!);
    }
    this.#keep();
  }

  #tellPeer({ layer, tokens, forward, step, peer }: Row, name: string): void {
    for (const [form, theirs] of Object.entries(peer!)) {
      const what = form === "grouped" ? "PyTorch's grouped product" : "PyTorch's loop over experts";
      if (theirs === null) this.miss(`${what}: this PyTorch does not do ${name}`);
      else if (forward !== undefined) {
        const times = (their: number, our: number): string => `${(their / our).toFixed(2)} times`;
        const ofStep = step === undefined ? "" : `, ${times(theirs.step, step)} a step`;
        const told = `${what} takes ${times(theirs.forward, forward)} as long forward${ofStep}`;
        console.log(`  ${layer}, ${tokens} tokens: ${told}`);
      }
    }
  }

  end(): number {
    console.log("\nParameters are f32 in memory in either precision: bytes are counted as such.");
    for (const line of this.#missing) console.log(`not measured: ${line}`);
    return 0;
  }

  /** What is left undone by a process that does not end well is named. */
  async #job(job: Job, name: string, heard: (news: News) => void): Promise<void> {
    if (this.#deadline.left === 0) return this.miss(`${name}: the time was up`);
    const module = this.#options.module ?? process.argv[1]!;
    const ending = await runJob(job, { module, silence, deadline: this.#deadline, heard });
    if (ending.how === "done") return;
    console.log(`  ${ending.text}`);
    this.miss(`${name}: ${ending.text}`);
  }

  #keep(): void {
    const [ceilings, rows, missing] = [this.#ceilings, this.#rows, this.#missing];
    keepRecord(join(this.#folder, recordFile), { about: this.#about, ceilings, rows, missing });
  }
}

const share = (rate: number, most: Ceiling | undefined, of: string): string =>
  most === undefined ? "" : ` (${((100 * rate) / most.rate).toFixed(1)} %${of})`;

const withProducts = (
  ceilings: Partial<Ceilings>,
  { float32, bfloat16 }: { readonly float32: number; readonly bfloat16: number },
): Partial<Ceilings> => ({
  ...ceilings,
  f32: better(ceilings.f32, float32),
  bf16: better(ceilings.bf16, bfloat16),
});

const better = (one: Ceiling | undefined, other: number): Ceiling =>
  one !== undefined && one.rate >= other ? one : { rate: other, by: "PyTorch's product" };
