// Regions: which expert takes each place of the plane, and what the model says there. In: a model of points with two coordinates. Out:
// a square of cells. A router's first pick is the expert that it scores highest; a router that takes all experts has no regions.

import type { LoadedModel } from "../../../runtime/model.ts";
import type { Modality, Program } from "../../../runtime/program.ts";
import { reach } from "../data/toys.ts";
import type { Regions } from "../messages.ts";

/** Cells of a side: fine enough for sharp borders, few enough to compute several times a second. */
const side = 160;

/** What is given for each cell: the point, and classes or numbers that only the loss reads. */
export interface Plane {
  readonly point: Modality;
  readonly others: readonly Modality[];
}

/** Undefined when the model reads something else than points of a plane. */
export function planeOf({ modalities, entries }: Program): Plane | undefined {
  const points = modalities.filter(({ kind, count }) => kind === "features" && count === 2);
  const others = modalities.filter((each) => !points.includes(each));
  const [point] = points;
  const fits =
    points.length === 1 &&
    others.every(({ kind }) => kind === "category" || kind === "number") &&
    entries["evaluate"] !== undefined &&
    entries["forward"] !== undefined;
  return fits && point !== undefined ? { point, others } : undefined;
}

export async function regionsOf(model: LoadedModel, { point, others }: Plane): Promise<Regions> {
  const cells = side * side;
  const places = new Float32Array(2 * cells);
  for (let cell = 0; cell < cells; cell++) {
    places[2 * cell] = (((cell % side) + 0.5) / side) * 2 * reach - reach;
    places[2 * cell + 1] = reach - ((Math.floor(cell / side) + 0.5) / side) * 2 * reach;
  }
  const inputs = { [point.name]: { shape: [cells, 2], values: places } };
  const dummies = Object.fromEntries(
    others.map(({ name, kind }) => [
      name,
      { shape: [cells], values: kind === "category" ? new Int32Array(cells) : new Float32Array(cells) },
    ]),
  );
  const experts: Record<string, Int16Array> = {};
  const routes = await model.routes({ ...inputs, ...dummies });
  for (const { name, width, experts: count, nulls } of model.program.routers) {
    const picks = routes[name]?.picks.values;
    if (picks?.length !== cells * width || (width > 1 && width >= count + nulls)) continue;
    experts[name] = Int16Array.from({ length: cells }, (_, cell) => picks[cell * width]!);
  }
  const [output] = Object.values(await model.forward(inputs));
  const second =
    output?.values.length === 2 * cells
      ? Float32Array.from({ length: cells }, (_, cell) => {
          const [first, other] = [output.values[2 * cell]!, output.values[2 * cell + 1]!];
          return 1 / (1 + Math.exp(first - other));
        })
      : undefined;
  return { side, experts, ...(second === undefined ? {} : { second }) };
}
