// How much is run of the tests that take too long for every time. In: MOE_RUNS of the environment: nothing, for a few programs; `1`, for
// all there are; `2/8`, for the second of eight parts of them; `1000`, for so many random ones, too. Out: what that means for a list.

const given = process.env["MOE_RUNS"];
const part = /^(\d+)\/(\d+)$/.exec(given ?? "");

/** More than the few of every run. */
export const wholeRuns = given !== undefined;

/** How many random programs: a number that was given, else the few of every run. */
export const randomRuns = (few: number): number =>
  given === undefined || part !== null || given === "1" ? few : Number(given);

/** Of all that there is, what this run has. */
export function partOf<T>(list: readonly T[]): readonly T[] {
  if (part === null) return list;
  const [mine, parts] = [Number(part[1]), Number(part[2])];
  return list.filter((_, at) => at % parts === mine - 1);
}
