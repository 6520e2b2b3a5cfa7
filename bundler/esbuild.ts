// The plug-in for esbuild: `moelang/esbuild`.

import { plugin } from "./plugin.ts";

export type { MoeOptions } from "./options.ts";
export default plugin.esbuild;
