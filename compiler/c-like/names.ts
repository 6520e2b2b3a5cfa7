// Names in printed code. In: names of buffers, sizes and locals as the compiler chose them. Out: identifiers, one for each, no two
// of a kernel alike: the compiler's name where it can stay, else with something appended.

export class Names {
  readonly #used: Set<string>;
  readonly #given = new Map<string, string>();

  /** `taken`: words of the language, and what the printer itself declares. */
  constructor(taken: Iterable<string>) {
    this.#used = new Set(taken);
  }

  /** The identifier of a local of the kernel: always the same one. */
  of(name: string): string {
    return this.#give(name, name);
  }

  /** Buffers, scratch and sizes have names of their own: a local may be called like one. */
  ofMemory(name: string): string {
    return this.#give(`memory ${name}`, name);
  }

  ofSize(name: string): string {
    return this.#give(`size ${name}`, name);
  }

  /** Keeps a name for the printer itself. */
  reserve(name: string): void {
    this.#used.add(name);
  }

  /** A new identifier like `name`. Letters and digits only; no leading digit or underscore, no two underscores in a row. */
  fresh(name: string): string {
    const clean = name
      .replaceAll(/[^A-Za-z0-9_]/g, "_")
      .replaceAll(/__+/g, "_")
      .replace(/^(?=[0-9_]|$)/, "v");
    let made = clean;
    for (let count = 2; this.#used.has(made); count++) made = `${clean}_${count}`;
    this.#used.add(made);
    return made;
  }

  #give(key: string, like: string): string {
    const known = this.#given.get(key);
    if (known !== undefined) return known;
    const made = this.fresh(like);
    this.#given.set(key, made);
    return made;
  }
}
