// Who may touch which element of scratch where invocations meet by signals, or warp by warp: each knows how far it has seen every other one go
// (vector clocks). In: accesses, arrivals, waits, barriers, in the order in which they happen. Out: whether an access comes after all that it
// must come after, in every order that the kernel allows. Deliberately absent: memory, phases (interpret-signals.ts).

const warpSize = 32;

/** One that touches memory: an invocation, a warp together, the units that multiply for a warp, or what a signal's phase has brought. */
export interface Toucher {
  readonly id: number;
  readonly epoch: number;
  /** By id, the last epoch that it has seen the end of. */
  readonly seen: Int32Array;
}

export class Order {
  private readonly clocks: readonly Int32Array[];
  private readonly invocations: number;
  private readonly warps: number;
  /** What units and warps together are at. */
  private readonly epochs: Int32Array;

  constructor(invocations: number, signals: number) {
    this.invocations = invocations;
    this.warps = Math.ceil(invocations / warpSize);
    const ids = invocations + 2 * this.warps + signals;
    this.clocks = Array.from({ length: invocations }, () => new Int32Array(ids));
    this.epochs = new Int32Array(ids).fill(1);
  }

  /** Who stands for what is brought in phases of a signal. */
  idOfSignal = (signal: number): number => this.invocations + 2 * this.warps + signal;

  invocation(number: number): Toucher {
    return { id: number, epoch: this.epochs[number]!, seen: this.clocks[number]! };
  }

  /** Knows what all of its invocations know. */
  warp(warp: number, as: "together" | "units"): Toucher {
    const id = this.idOfWarp(warp, as);
    const [first, ...others] = this.lanes(warp);
    const seen = first!.slice();
    for (const other of others) seen.forEach((epoch, at) => (seen[at] = Math.min(epoch, other[at]!)));
    return { id, epoch: this.epochs[id]!, seen };
  }

  /** What the units have read they read no more. */
  settle(warp: number): void {
    const id = this.idOfWarp(warp, "units");
    for (const clock of this.lanes(warp)) clock[id] = this.epochs[id]!;
    this.epochs[id]!++;
  }

  /** These invocations, whole warps, wait for each other. */
  meet(from: number, to: number): void {
    const own = this.clocks.slice(from, to);
    const all = own[0]!.slice();
    for (const clock of own) clock.forEach((epoch, at) => (all[at] = Math.max(epoch, all[at]!)));
    for (let number = from; number < to; number++) all[number] = this.epochs[number]!++;
    for (let warp = from / warpSize; warp < to / warpSize; warp++) {
      const id = this.idOfWarp(warp, "together");
      all[id] = this.epochs[id]!++;
    }
    for (const clock of own) clock.set(all);
  }

  /** What whoever hears of this knows. */
  release(number: number): Int32Array {
    const told = this.clocks[number]!.slice();
    told[number] = this.epochs[number]!++;
    return told;
  }

  acquire(number: number, told: Int32Array): void {
    const clock = this.clocks[number]!;
    told.forEach((epoch, at) => (clock[at] = Math.max(epoch, clock[at]!)));
  }

  private idOfWarp(warp: number, as: "together" | "units"): number {
    return this.invocations + 2 * warp + (as === "units" ? 1 : 0);
  }

  private lanes(warp: number): readonly Int32Array[] {
    return this.clocks.slice(warp * warpSize, (warp + 1) * warpSize);
  }
}

/** Who wrote each element of an array last, and who has read it since. */
export class Accesses {
  /** Pairs of id and epoch; the writer's first, then those of readers. */
  private readonly known: (number[] | undefined)[] = [];

  /** Whether whoever wrote it is known to have done so. */
  read({ id, epoch, seen }: Toucher, at: number): boolean {
    const known = (this.known[at] ??= [-1, 0]);
    if (!isAfter({ id, seen }, known[0]!, known[1]!)) return false;
    for (let i = 2; i < known.length; i += 2)
      if (known[i] === id) {
        known[i + 1] = epoch;
        return true;
      }
    known.push(id, epoch);
    return true;
  }

  /** Whether whoever wrote or read it is known to be done. */
  write({ id, epoch, seen }: Toucher, at: number): boolean {
    const known = this.known[at] ?? [];
    for (let i = 0; i < known.length; i += 2)
      if (!isAfter({ id, seen }, known[i]!, known[i + 1]!)) return false;
    this.known[at] = [id, epoch];
    return true;
  }

  /** By the phase of a signal, which all have to know of. */
  brought(id: number, phase: number, at: number): void {
    this.known[at] = [id, phase];
  }
}

const isAfter = ({ id, seen }: Pick<Toucher, "id" | "seen">, other: number, epoch: number): boolean =>
  other === -1 || other === id || seen[other]! >= epoch;
