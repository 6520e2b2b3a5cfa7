// Routers whose rows are the same for every batch: the slots of a soft mixture, an input for each expert. Their rows are no examples, also
// where there happen to be as many.

import { expect, test } from "vitest";
import { foldRouting } from "../cli/report/collect.ts";
import { layerSection } from "../cli/report/layer.ts";
import { renderPage } from "../cli/report/page.ts";
import { activeOf, layersOf } from "../cli/report/run.ts";
import { constant, named, type Size } from "../runtime/size.ts";
import { madeProgram, madeRun } from "./helpers/report-run.ts";

const made = madeProgram({ layers: 2 });
const [own, fixed] = made.routers.map(({ picks }) => picks);
const port = (name: string, ...shape: readonly Size[]) => ({ name, type: "i32" as const, shape });
const program = {
  ...made,
  modalities: [{ name: "sort", kind: "category" as const, count: 2, ports: ["sort"] }],
  entries: {
    evaluate: {
      name: "evaluate",
      inputs: [port("sort", named("B"))],
      outputs: [port(own!, named("B"), constant(2)), port(fixed!, constant(2), constant(2))],
      temporaries: [],
      dispatches: [],
      refusals: [],
    },
  },
};
const picks = [0, 1].map(() => Int32Array.of(0, 1, 2, 3));
const seen = [{ batch: { sort: Int32Array.of(0, 1) }, picks, examples: 2 }];
const report = foldRouting(program, seen, { tokenizers: {}, labels: {} }, 0);

test("what they see is not told", () => {
  expect(report.routers.map(({ rowsPerExample }) => rowsPerExample)).toEqual([1, 0]);
  expect(report.routers.map(({ facets }) => facets.map(({ kind }) => kind))).toEqual([["classes"], []]);
  expect(report.routers[1]!.load).toEqual(report.routers[0]!.load);
});

const layers = layersOf({ ...madeRun({ layers: 2 }), program, routing: report });

test("every example has to do with all experts that have a row", () => {
  expect(layers.map(activeOf)).toEqual([2, 4]);
});

test("the page says that the choice is fixed", () => {
  const sections = layers.map((layer) => layerSection(layer, true, 8).markup);
  expect(sections.map((text) => text.includes("the same for every example"))).toEqual([false, true]);
  expect(sections.map((text) => text.includes("what stands in its place"))).toEqual([false, true]);
});

test("the first layer that chooses is the open one", () => {
  const [chosen, slots] = made.routers;
  const page = renderPage(
    { ...madeRun({ layers: 2 }), program: { ...program, routers: [slots!, chosen!] }, routing: report },
    { script: "", style: "" },
  );
  expect(
    [...page.matchAll(/<details class="layer" id="layer-([^"]+)" open>/g)].map(([, name]) => name),
  ).toEqual([chosen!.name]);
});
