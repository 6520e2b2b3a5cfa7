// What a user of the plug-in may choose.

export interface MoeOptions {
  /** Kernels for a GPU beside those for the CPU, which every machine can run. */
  readonly targets?: readonly "webgpu"[];
  /** Where the types of `small.moe` go: beside it as `small.d.moe.ts` (the default), into a folder under the same path (for
   * `rootDirs` of TypeScript), or nowhere. */
  readonly types?: "beside" | { readonly folder: string } | false;
  /** Kernels as files of the output (the default), or as text in the JavaScript, for outputs of one file. */
  readonly kernels?: "files" | "inline";
  /** Positions that the caches of generation hold; the training length when not given. */
  readonly context?: number;
  /** The model to take from a file that has several. In: the file's path. */
  readonly model?: (file: string) => string | undefined;
}
