// Names in CUDA C++. In: names of buffers, sizes and locals as the compiler chose them. Out: identifiers, one for each, no two
// of a kernel alike: the compiler's name where it can stay, else with something appended.

/** Keywords of C++ and CUDA, types and functions that kernels use, and words that headers define as macros. */
const taken: ReadonlySet<string> = new Set(
  (
    "alignas alignof and and_eq asm auto bitand bitor bool break case catch char class compl concept const consteval constexpr " +
    "constinit const_cast continue co_await co_return co_yield decltype default delete do double dynamic_cast else enum explicit " +
    "export extern false float for friend goto if inline int long mutable namespace new noexcept not not_eq nullptr operator or " +
    "or_eq private protected public register reinterpret_cast requires return short signed sizeof static static_assert " +
    "static_cast struct switch template this thread_local throw true try typedef typeid typename union unsigned using virtual " +
    "void volatile wchar_t while xor xor_eq " +
    "float4 int4 bool4 uint4 half abs min max fmaf fminf fmaxf expf logf sqrtf tanhf sinf cosf erff floorf ceilf rintf fabsf powf " +
    "y0 y1 yn j0 j1 jn signbit isnan isinf gamma signgam index rindex linux unix NULL NAN INFINITY EOF errno assert stdin stdout stderr " +
    "threadIdx blockIdx blockDim gridDim warpSize main workgroup invocation"
  ).split(" "),
);

export class Names {
  readonly #used: Set<string>;
  readonly #given = new Map<string, string>();

  /** `reserved`: what the printer itself declares. */
  constructor(reserved: Iterable<string>) {
    this.#used = new Set([...taken, ...reserved]);
  }

  /** The identifier of a name of the kernel: always the same one. */
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
