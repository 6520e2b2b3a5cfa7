// The plug-in for rolldown: `moelang/rolldown`.

import { plugin } from "./plugin.ts";

export type { MoeOptions } from "./options.ts";
export default plugin.rolldown;
