// Pace of a run: how fast it goes and how long it will take. Wall time; nothing of a run depends on it.

export class Pace {
  readonly #perStep: number;
  readonly #start = performance.now();
  #last = this.#start;
  /** Seconds per step, a mean in which older steps count less and less. */
  #step = 0;
  #counted = 0;

  /** `perStep`: tokens or examples that one step works on. */
  constructor(perStep: number) {
    this.#perStep = perStep;
  }

  /** A step is done. */
  count(): void {
    const now = performance.now();
    const seconds = (now - this.#last) / 1000;
    this.#last = now;
    // The first step also loads and warms up: the second one replaces it.
    const keep = this.#counted < 2 ? 0 : Math.min(0.95, 1 - 1 / this.#counted);
    this.#step = keep * this.#step + (1 - keep) * seconds;
    this.#counted++;
  }

  /** What happens until `resume` is no part of a step. */
  pause(): void {
    this.#last -= performance.now();
  }
  resume(): void {
    this.#last += performance.now();
  }

  get seconds(): number {
    return (performance.now() - this.#start) / 1000;
  }
  get perSecond(): number {
    return this.#step === 0 ? 0 : this.#perStep / this.#step;
  }
  secondsFor(steps: number): number {
    return steps * this.#step;
  }
}
