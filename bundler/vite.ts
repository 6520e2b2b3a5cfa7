// The plug-in for vite: `moelang/vite`.

import { plugin } from "./plugin.ts";

export type { MoeOptions } from "./options.ts";
export default plugin.vite;
