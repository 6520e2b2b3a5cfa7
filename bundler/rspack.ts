// The plug-in for rspack: `moelang/rspack`.

import { plugin } from "./plugin.ts";

export type { MoeOptions } from "./options.ts";
export default plugin.rspack;
