// What the page and its worker say to each other.

/** Where the model runs; `auto` is the first of webgpu and cpu that is there. */
export type Device = "auto" | "webgpu" | "cpu";

export type ToWorker =
  | { readonly kind: "start"; readonly device: Device; readonly prompt: string }
  | { readonly kind: "pause" }
  | { readonly kind: "go on" }
  | { readonly kind: "prompt"; readonly prompt: string };

/** Share of the picks that each expert took, by router. */
export type Loads = Readonly<Record<string, readonly number[]>>;

export type FromWorker =
  | { readonly kind: "ready"; readonly on: string; readonly steps: number }
  | {
      readonly kind: "step";
      readonly step: number;
      readonly loss: number;
      readonly accuracy: number;
      readonly bytesPerSecond: number;
    }
  | { readonly kind: "loads"; readonly step: number; readonly loads: Loads }
  | { readonly kind: "text"; readonly prompt: string; readonly text: string }
  | { readonly kind: "done" }
  /** The device was lost, and training goes on after `step`, on `on`. */
  | { readonly kind: "lost"; readonly message: string; readonly step: number; readonly on: string }
  | { readonly kind: "problem"; readonly message: string };
