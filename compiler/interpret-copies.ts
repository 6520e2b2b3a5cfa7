// What one invocation of an interpreted kernel has on its way. In: copies as they begin, ends of groups, waits. Out: copies as they
// arrive: as late as they may. Deliberately absent: memory, and what nobody may do to it meanwhile (interpret-kernel.ts).

export interface Copy {
  readonly scratch: string;
  /** The first element; the others follow. */
  readonly at: number;
  readonly values: readonly number[];
}

export class Copies {
  private begun: Copy[] = [];
  private groups: (readonly Copy[])[] = [];

  begin(copy: Copy): void {
    this.begun.push(copy);
  }

  group(): void {
    this.groups.push(this.begun);
    this.begun = [];
  }

  /** All groups but the last `open`, which are on their way no more. */
  wait(open: number): readonly Copy[] {
    return this.groups.splice(0, Math.max(0, this.groups.length - open)).flat();
  }

  /** A copy that nobody has waited for. */
  get left(): Copy | undefined {
    return [...this.groups.flat(), ...this.begun][0];
  }
}
