// Lowered entry: kernels in execution order with the buffers each binds. What `lower` hands to `plan`.

import type { Size } from "../runtime/size.ts";
import type { ClusterKind } from "./fuse-kinds.ts";
import type { Origin } from "./graph.ts";
import type { ElementType, Kernel } from "./kernel.ts";

export type LoweredBuffer =
  /** A parameter, state or optimiser tensor, updated in place when a kernel writes it; one of its parts where it has some. */
  | { readonly kind: "tensor"; readonly name: string; readonly part?: number }
  | { readonly kind: "input"; readonly name: string }
  | { readonly kind: "output"; readonly name: string }
  | { readonly kind: "temporary"; readonly label: string; readonly type: ElementType; readonly length: Size };

export interface LoweredDispatch {
  readonly kernel: Kernel;
  /** One for each of kernel.buffers, by identity: the same object is the same memory. */
  readonly buffers: readonly LoweredBuffer[];
  /** What the user wrote that this does: `block.0.experts: gate, up`. */
  readonly label: string;
  /** Of the first node that it computes; absent where nothing in the text asked for it (copies). */
  readonly origin?: Origin;
  /** Of the cluster that it computes; absent for copies. */
  readonly kind?: ClusterKind;
  /** Values of sizes that the kernel has beside the session's. */
  readonly launch?: Readonly<Record<string, number>>;
}

export interface LoweredPort {
  readonly name: string;
  readonly type: "f32" | "i32";
  readonly shape: readonly Size[];
  readonly doc?: string;
}

export interface LoweredEntry {
  readonly name: string;
  readonly inputs: readonly LoweredPort[];
  readonly outputs: readonly LoweredPort[];
  readonly dispatches: readonly LoweredDispatch[];
  /** Every fusion that was considered and not done, with its reason. */
  readonly refusals: readonly string[];
}
