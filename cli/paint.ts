// Colours. In: whether to use them. Out: functions from text to text, which do nothing when colours are off.

import picocolors from "picocolors";

export type Paint = ReturnType<typeof picocolors.createColors>;

const on = picocolors.createColors(true);
const off = picocolors.createColors(false);

export const paintWith = (colour: boolean): Paint => (colour ? on : off);
