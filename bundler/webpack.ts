// The plug-in for webpack: `moelang/webpack`.

import { plugin } from "./plugin.ts";

export type { MoeOptions } from "./options.ts";
export default plugin.webpack;
