// Bindings: what a session keeps for the sizes that it was asked for. In: sizes, and how a binding is made. Out: the binding, the
// same one again while it is kept. The session's own sizes are one of them, and never go; of the others the one unused for longest
// goes first, and whoever still holds it may go on using it. Does not know what a binding holds.

import type { Program } from "./program.ts";
import { checkSizes } from "./session-checks.ts";
import type { Sizes } from "./size.ts";

/** Bindings kept ready. */
const most = 16;

export class Bindings<Bound extends { readonly sizes: Sizes }> {
  readonly #program: Program;
  readonly #make: (sizes: Sizes) => Bound;
  readonly #dropped: (bound: Bound) => void;
  /** In the order of use: a map keeps that of insertion. */
  readonly #kept = new Map<string, Bound>();
  #current: Bound;

  /** `sizes`: the session's own. `dropped` is told of what is not kept any more. */
  constructor(
    program: Program,
    sizes: Sizes,
    make: (sizes: Sizes) => Bound,
    dropped: (bound: Bound) => void = () => {},
  ) {
    this.#program = program;
    this.#make = make;
    this.#dropped = dropped;
    this.#current = this.#find(sizes);
  }

  /** At the session's own sizes. */
  get current(): Bound {
    return this.#current;
  }

  /** At these sizes; those not given are the session's own. Errors: R0506. */
  at(sizes: Sizes): Bound {
    return this.#find({ ...this.#current.sizes, ...sizes });
  }

  /** Changes the session's own sizes. Errors: R0506. */
  resize(sizes: Sizes): void {
    this.#current = this.at(sizes);
  }

  all(): Iterable<Bound> {
    return this.#kept.values();
  }

  #find(sizes: Sizes): Bound {
    checkSizes(this.#program, sizes);
    const key = JSON.stringify(Object.entries(sizes).sort(([a], [b]) => (a < b ? -1 : 1)));
    const bound = this.#kept.get(key) ?? this.#make(sizes);
    this.#kept.delete(key);
    this.#kept.set(key, bound);
    for (const [old, other] of this.#kept) {
      if (this.#kept.size <= most) break;
      if (other === this.#current || other === bound) continue;
      this.#kept.delete(old);
      this.#dropped(other);
    }
    return bound;
  }
}
