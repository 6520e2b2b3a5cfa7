// The plug-in for rollup: `moelang/rollup`.

import { plugin } from "./plugin.ts";

export type { MoeOptions } from "./options.ts";
export default plugin.rollup;
