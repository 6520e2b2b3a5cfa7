// Signals of an interpreted workgroup, and the bulk copies that they count. In: arrivals and copies as they begin. Out: phases that end, boxes that
// are there from then on. Refuses arrivals that no phase has room for and bytes that were not announced; a phase that never ends
// is found by whoever waits (interpret-workgroup.ts).

import { evaluate } from "../runtime/size.ts";
import { bytesOf } from "./half.ts";
import { read, refuse, write, type Invocation, type Memory } from "./interpret-memory.ts";
import type { Order } from "./interpret-order.ts";
import type { Kernel, Signal, Stmt } from "./kernel.ts";

interface Box {
  readonly memory: Memory;
  readonly first: number;
  readonly values: readonly number[];
}

interface State {
  readonly signal: Signal;
  /** In the order of the workgroup's. */
  readonly number: number;
  ended: number;
  arrived: number;
  announced: number;
  brought: number;
  boxes: Box[];
  /** What those who have arrived knew; of the phase that is going on, and of the last that has ended. */
  told: Int32Array[];
  before: readonly Int32Array[];
}

export class Signals {
  private readonly kernel: Kernel;
  private readonly order: Order;
  private readonly states = new Map<string, readonly State[]>();

  constructor(kernel: Kernel, order: Order) {
    this.kernel = kernel;
    this.order = order;
    let number = 0;
    for (const signal of kernel.signals ?? []) {
      const states = Array.from({ length: signal.count }, (): State => {
        const none = { ended: 0, arrived: 0, announced: 0, brought: 0, boxes: [], told: [], before: [] };
        return { signal, number: number++, ...none };
      });
      this.states.set(signal.name, states);
    }
  }

  arrive(run: Invocation, name: string, which: number, bytes: number): void {
    const state = this.at(name, which);
    if (state.arrived === state.signal.arrivals)
      throw new Error(
        `internal: kernel ${this.kernel.name}: invocation ${run.number} arrives at ${name}[${which}] once more than a phase wants`,
      );
    state.arrived++;
    state.announced += bytes;
    state.told.push(this.order.release(run.number));
    this.advance(state, which);
  }

  /** One invocation begins a box; `at` are places of the statement, as numbers. */
  bring(
    run: Invocation,
    { scratch, map: name, signal }: Extract<Stmt, { readonly op: "bulk" }>,
    at: { readonly index: number; readonly from: readonly number[]; readonly which: number },
  ): void {
    const state = this.at(signal, at.which);
    const memory = run.memory.get(scratch)!;
    const map = this.kernel.maps!.find((each) => each.name === name)!;
    const axes = map.axes.map(({ extent, stride, box }) => {
      return { extent: evaluate(extent, run.sizes), stride: evaluate(stride, run.sizes), box };
    });
    const { type, rows } = this.kernel.scratch.find((each) => each.name === scratch)!;
    if (at.index % ((8 * rows!) / bytesOf(type)) !== 0)
      refuse(run, memory, at.index, "a box begins within eight rows");
    const count = axes.reduce((all, { box }) => all * box, 1);
    const offset = evaluate(map.offset, run.sizes);
    const values = Array.from({ length: count }, (_, element) => {
      write(run, scratch, at.index + element, NaN);
      let rest = element;
      let flat = offset;
      let there = true;
      for (const [axis, { extent, stride, box }] of axes.entries()) {
        const place = at.from[axis]! + (rest % box);
        rest = Math.floor(rest / box);
        there &&= place >= 0 && place < extent;
        flat += place * stride;
      }
      return there ? read(run, map.buffer, flat) : 0;
    });
    for (let element = 0; element < count; element++) memory.coming[at.index + element] = 1;
    state.boxes.push({ memory, first: at.index, values });
    state.brought += bytesOf(type) * count;
    this.advance(state, at.which);
  }

  /** Whether a wait for that phase goes on. */
  hasEnded(name: string, which: number, phase: number): boolean {
    if (phase !== 0 && phase !== 1)
      throw new Error(`internal: kernel ${this.kernel.name}: phase ${phase} of ${name} is waited for`);
    return this.at(name, which).ended % 2 !== phase;
  }

  /** Who has waited knows what those knew who arrived, and that what was brought is there. */
  heard(run: Invocation, name: string, which: number): void {
    for (const told of this.at(name, which).before) this.order.acquire(run.number, told);
  }

  /** A phase that is going on, in words. */
  describe(name: string, which: number): string {
    const { signal, arrived, announced, brought } = this.at(name, which);
    return `${name}[${which}]: ${arrived} of ${signal.arrivals} have arrived, ${brought} of ${announced} bytes are brought`;
  }

  /** Something that nobody has waited for. */
  get left(): string | undefined {
    for (const [name, states] of this.states)
      for (const [which, { boxes }] of states.entries())
        if (boxes.length > 0) return this.describe(name, which);
    return undefined;
  }

  private at(name: string, which: number): State {
    const found = this.states.get(name)![which];
    if (found === undefined)
      throw new Error(`internal: kernel ${this.kernel.name}: there is no ${name}[${which}]`);
    return found;
  }

  private advance(state: State, which: number): void {
    const { signal, arrived, announced, brought, boxes } = state;
    if (arrived < signal.arrivals || brought < announced) return;
    if (brought > announced)
      throw new Error(
        `internal: kernel ${this.kernel.name}: more bytes are brought than were announced to ${this.describe(signal.name, which)}`,
      );
    state.ended++;
    const id = this.order.idOfSignal(state.number);
    for (const { memory, first, values } of boxes)
      values.forEach((value, i) => {
        memory.coming[first + i] = 0;
        memory.data[first + i] = value;
        memory.accesses!.brought(id, state.ended, first + i);
      });
    const told = state.told.at(-1)!.slice();
    told[id] = state.ended;
    Object.assign(state, {
      arrived: 0,
      announced: 0,
      brought: 0,
      boxes: [],
      told: [],
      before: [...state.told, told],
    });
  }
}
