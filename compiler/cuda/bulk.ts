// Bulk copies of tensors and the signals that count them in CUDA, for sm_90a: `cp.async.bulk.tensor` by tensor maps, `mbarrier`, `setmaxnreg`. In:
// statements, what a kernel declares. Out: texts of functions; lines. Instructions and what they mean are those of the PTX
// manual (Data movement, Parallel synchronization, setmaxnreg). Left out under MOE_HOST: tests give them a meaning on a CPU.

import type { Kernel, Signal, Stmt } from "../kernel.ts";

const fn = "__device__ __forceinline__";

const list = (count: number, text: (at: number) => string): string =>
  Array.from({ length: count }, (_, at) => text(at)).join(", ");

/** A box of a map with so many axes. Its innermost coordinate comes first, as in the map. */
const bulkCopy = (axes: number): string => `
${fn} void bulk_copy(void* to, const TensorMap& map, unsigned long long* signal, ${list(axes, (at) => `int c${at}`)}) {
  asm volatile(
      "cp.async.bulk.tensor.${axes}d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, {${list(axes, (at) => `%${at + 3}`)}}], [%2];"
      :
      : "r"(shared_address(to)), "l"(&map), "r"(shared_address(signal)), ${list(axes, (at) => `"r"(c${at})`)}
      : "memory");
}`;

export const bulkText = `
#if MOE_WARPGROUPS && !defined(MOE_HOST)
// How copies find the boxes of a buffer: made by the driver, before the launch.
struct __align__(128) TensorMap {
  unsigned long long words[16];
};
// For so many arrivals in each phase.
${fn} void signal_begin(unsigned long long* signal, int arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(signal)), "r"(arrivals) : "memory");
}
// What copies are told of them, too; before a barrier.
${fn} void signals_begun() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
${fn} void arrive(unsigned long long* signal) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(signal)) : "memory");
}
${fn} void arrive_with(unsigned long long* signal, int bytes) {
  asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(signal)), "r"(bytes) : "memory");
}
// Until the phase of that parity has ended; before the first one, the one before has.
${fn} void await_phase(unsigned long long* signal, int phase) {
  asm volatile(
      "{ .reg .pred ended; again: mbarrier.try_wait.parity.shared::cta.b64 ended, [%0], %1; @!ended bra again; }" ::"r"(
          shared_address(signal)),
      "r"(phase)
      : "memory");
}
template <int count>
${fn} void registers_more() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(count));
}
template <int count>
${fn} void registers_fewer() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(count));
}
${[1, 2, 3, 4, 5].map(bulkCopy).join("").trim()}
#endif`;

export const bulkNames =
  "TensorMap signal_begin signals_begun arrive arrive_with await_phase registers_more registers_fewer bulk_copy".split(
    " ",
  );

/** Bytes that the signals take after all other scratch. */
export const signalBytes = ({ signals = [] }: Pick<Kernel, "signals">): number =>
  signals.reduce((all, { count }) => all + 8 * count, 0);

/** One invocation makes them ready for all. */
export const beginSignals = (
  signals: readonly Signal[],
  nameOf: (signal: string) => string,
): readonly string[] =>
  signals.length === 0
    ? []
    : [
        "  if (threadIdx.x == 0) {",
        ...signals.map(({ name, count, arrivals }) =>
          count === 1
            ? `    signal_begin(${nameOf(name)}, ${arrivals});`
            : `    for (int i = 0; i < ${count}; i++) signal_begin(${nameOf(name)} + i, ${arrivals});`,
        ),
        "    signals_begun();",
        "  }",
        "  __syncthreads();",
      ];

type SignalStmt = Extract<Stmt, { readonly op: "bulk" | "arrive" | "await" | "registers" }>;

/** `signal`: the address of one; `text`: of an expression. */
export function signalLine(
  statement: SignalStmt,
  words: {
    readonly signal: (statement: Exclude<SignalStmt, { readonly op: "registers" }>) => string;
    readonly text: (expr: Extract<SignalStmt, { readonly op: "await" }>["phase"]) => string;
    readonly memory: (name: string) => string;
  },
): string {
  switch (statement.op) {
    case "bulk": {
      // A box begins where no bytes change places.
      const to = `${words.memory(statement.scratch)} + ${words.text(statement.index)}`;
      const at = statement.at.map(words.text).join(", ");
      return `bulk_copy(${to}, ${words.memory(statement.map)}, ${words.signal(statement)}, ${at});`;
    }
    case "arrive": {
      const { bytes } = statement;
      return bytes === 0
        ? `arrive(${words.signal(statement)});`
        : `arrive_with(${words.signal(statement)}, ${bytes});`;
    }
    case "await":
      return `await_phase(${words.signal(statement)}, ${words.text(statement.phase)});`;
    case "registers":
      return `registers_${statement.more ? "more" : "fewer"}<${statement.to}>();`;
    default:
      return statement satisfies never;
  }
}
