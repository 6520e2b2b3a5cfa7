// Names in a shader. In: names of buffers, sizes and locals as the compiler chose them. Out: identifiers that WGSL accepts, one
// for each, no two alike: the compiler's name where it can stay, else with something appended.

/** Keywords and reserved words of WGSL (sections 15.1 and 15.2 of the specification), and functions that shaders call. */
const taken = new Set(
  (
    "alias break case const const_assert continue continuing default diagnostic discard else enable false fn for if let loop " +
    "override requires return struct switch true var while " +
    "NULL Self abstract active alignas alignof as asm asm_fragment async attribute auto await become cast catch class co_await " +
    "co_return co_yield coherent column_major common compile compile_fragment concept const_cast consteval constexpr constinit " +
    "crate debugger decltype delete demote demote_to_helper do dynamic_cast enum explicit export extends extern external " +
    "fallthrough filter final finally friend from fxgroup get goto groupshared highp impl implements import inline instanceof " +
    "interface layout lowp macro macro_rules match mediump meta mod module move mut mutable namespace new nil noexcept noinline " +
    "nointerpolation non_coherent noncoherent noperspective null nullptr of operator package packoffset partition pass patch " +
    "pixelfragment precise precision premerge priv protected pub public readonly ref regardless register reinterpret_cast " +
    "require resource restrict self set shared sizeof smooth snorm static static_assert static_cast std subroutine super " +
    "target template this thread_local throw trait try type typedef typeid typename typeof union unless unorm unsafe unsized " +
    "use using varying virtual volatile wgsl where with writeonly yield " +
    "f32 i32 u32 f16 bool vec2 vec3 vec4 array atomic ptr mat2x2 mat4x4 bitcast select abs ceil floor round sqrt sign min max " +
    "fma clamp main workgroupBarrier workgroupUniformLoad subgroupShuffleXor"
  ).split(" "),
);

export class Names {
  readonly #used = new Set(taken);
  readonly #given = new Map<string, string>();

  /** Keeps a name for the printer itself. */
  reserve(name: string): string {
    this.#used.add(name);
    return name;
  }

  /** The identifier of a name of the kernel: always the same one. */
  of(name: string, like: string = name): string {
    const known = this.#given.get(name);
    if (known !== undefined) return known;
    const made = this.fresh(like);
    this.#given.set(name, made);
    return made;
  }

  /** Buffers and sizes have names of their own: a local may be called like one. */
  ofMemory(name: string): string {
    return this.of(`memory ${name}`, name);
  }
  ofSize(name: string): string {
    return this.of(`size ${name}`, name);
  }

  /** A new identifier like `name`. */
  fresh(name: string): string {
    const clean = name.replaceAll(/[^A-Za-z0-9_]/g, "_").replace(/^(?=[0-9]|_|$)/, "v");
    let made = clean;
    for (let count = 2; this.#used.has(made); count++) made = `${clean}_${count}`;
    this.#used.add(made);
    return made;
  }
}
