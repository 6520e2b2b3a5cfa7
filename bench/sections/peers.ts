import type { MeasureOptions } from "../measure.ts";
import type { Section } from "../section.ts";
export const peersSection = async (_options: MeasureOptions): Promise<Section> => ({ name: "peers", title: "", rows: [], skipped: [] });
