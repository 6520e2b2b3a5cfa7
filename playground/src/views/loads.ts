// Loads over time: for each router a band for each expert in its colour, as high as its share of the picks. In: loads. Out: paintings,
// one for each router; older columns are thinned out, so that the whole run stays in view.

import type { Loads, Routing } from "../messages.ts";
import { cssColour, expertColour } from "../page/colours.ts";
import { make } from "../page/dom.ts";
import { painting, type Painting } from "./canvas.ts";
import { placeName } from "./routing.ts";

export interface LoadsChart {
  readonly element: HTMLElement;
  readonly start: (routing: readonly Routing[]) => void;
  readonly add: (loads: Loads) => void;
  readonly paint: () => void;
}

/** Columns kept for each router. */
const most = 240;

export function loadsChart(): LoadsChart {
  const element = make("div", { class: "loads" });
  let charts: {
    readonly routing: Routing;
    readonly columns: (readonly number[])[];
    readonly picture: Painting;
  }[] = [];
  return {
    element,
    start(routing) {
      charts = routing.map((router) => {
        const columns: (readonly number[])[] = [];
        return { routing: router, columns, picture: picture(router, columns) };
      });
      element.replaceChildren(
        ...charts.map(({ routing: { name }, picture: { element: canvas } }) =>
          make("figure", {}, ...(charts.length > 1 ? [make("figcaption", {}, placeName(name))] : []), canvas),
        ),
      );
    },
    add(loads) {
      for (const {
        routing,
        columns,
        picture: { paint },
      } of charts) {
        const shares = loads[routing.name];
        if (shares === undefined) continue;
        columns.push(shares);
        if (columns.length > most)
          columns.splice(0, columns.length, ...columns.filter((_, i) => i % 2 === 1));
        paint();
      }
    },
    paint: () => charts.forEach(({ picture: { paint } }) => paint()),
  };
}

const picture = ({ name, experts, nulls }: Routing, columns: readonly (readonly number[])[]): Painting =>
  painting(
    `Share of the work of each expert of ${placeName(name)} over time`,
    "load",
    (context, width, height) => {
      if (columns.length === 0) return;
      const count = experts + nulls;
      // From the top down: what lies above an expert, and with it.
      const above = columns.map((shares) => {
        let sum = 0;
        return [0, ...Array.from({ length: count }, (_, i) => (sum += shares[i] ?? 0))];
      });
      const x = (column: number): number =>
        columns.length === 1 ? 0 : (width * column) / (columns.length - 1);
      for (let expert = 0; expert < count; expert++) {
        context.beginPath();
        if (columns.length === 1)
          context.rect(
            0,
            height * above[0]![expert]!,
            width,
            height * (above[0]![expert + 1]! - above[0]![expert]!),
          );
        else {
          above.forEach((sums, i) => context.lineTo(x(i), height * sums[expert]!));
          for (let i = above.length - 1; i >= 0; i--) context.lineTo(x(i), height * above[i]![expert + 1]!);
          context.closePath();
        }
        context.fillStyle = cssColour(expertColour(expert, experts));
        context.fill();
      }
    },
  );
