// The picture of a model: its outline, placed by dagre group by group from the inside out, and drawn. In: an outline. Out: markup
// with its size. Copies of a layer are one box with a stack behind it and how often it stands there.

import dagre from "@dagrejs/dagre";
import { count } from "../numbers.ts";
import { markup, type Markup } from "../report/html.ts";
import type { Edge } from "./flows.ts";
import type { Box, Content } from "./outline.ts";
import { drawPool, measurePool } from "./pool-picture.ts";
import { fit, flow, mono, rectangle, sans, text, widthOf, type Point } from "./svg.ts";

interface Extent {
  readonly width: number;
  readonly height: number;
}
interface PlacedBox extends Extent {
  readonly box: Box;
  readonly x: number;
  readonly y: number;
  readonly content?: Placed;
}
export interface Placed extends Extent {
  readonly boxes: readonly PlacedBox[];
  readonly edges: readonly (readonly Point[])[];
}

const groupPadding = 16;
const groupHead = 30;
const mostLines = 6;

function measure(box: Box, content: Placed | undefined): Extent {
  const repeat = box.times > 1 ? 8 : 0;
  switch (box.kind) {
    case "port":
      return { width: 8, height: 8 };
    case "operator":
      return box.title === "+"
        ? { width: 22, height: 22 }
        : { width: widthOf(box.title, mono) + 22, height: 26 };
    case "input":
    case "output":
      return { width: Math.max(70, widthOf(box.title) + 28), height: 30 };
    case "leaf": {
      const lines = box.lines.slice(0, mostLines);
      const wide =
        Math.max(widthOf(box.title, 8) + 74, ...lines.map((line) => widthOf(line, mono)), 110) + 26;
      return {
        width: Math.min(320, wide) + repeat,
        height: 30 + lines.length * 16 + (lines.length > 0 ? 6 : 2) + repeat,
      };
    }
    case "pool": {
      const size = measurePool(box.pool!, box.title);
      return { width: size.width + repeat, height: size.height + repeat };
    }
    case "group":
      return {
        width: Math.max(content!.width + 2 * groupPadding, widthOf(box.title, 8) + 150) + repeat,
        height: content!.height + groupHead + groupPadding + repeat,
      };
    default:
      return box.kind satisfies never;
  }
}

export function place(content: Content): Placed {
  const graph = new dagre.graphlib.Graph({ multigraph: false });
  graph.setGraph({ rankdir: "TB", nodesep: 26, ranksep: 30, marginx: 4, marginy: 4 });
  graph.setDefaultEdgeLabel(() => ({}));
  const inner = new Map<string, { readonly extent: Extent; readonly content?: Placed }>();
  for (const box of content.boxes) {
    const placed = box.content === undefined ? undefined : place(box.content);
    const extent = measure(box, placed);
    inner.set(box.id, { extent, ...(placed === undefined ? {} : { content: placed }) });
    graph.setNode(box.id, { ...extent });
  }
  const known = (edge: Edge): boolean => inner.has(edge.from) && inner.has(edge.to);
  for (const edge of content.edges.filter(known)) graph.setEdge(edge.from, edge.to, {});
  dagre.layout(graph);
  const centres = content.boxes.map((box) => graph.node(box.id) as Point);
  const lines = content.edges
    .filter(known)
    .map(({ from, to }) => (graph.edge(from, to) as { readonly points?: readonly Point[] }).points ?? []);
  // Lines may bend outside of what dagre calls the drawing: the size is measured.
  const extents = content.boxes.map((box, i) => {
    const { width, height } = inner.get(box.id)!.extent;
    return { x: centres[i]!.x - width / 2, y: centres[i]!.y - height / 2, width, height };
  });
  const xs = [...extents.flatMap(({ x, width }) => [x, x + width]), ...lines.flat().map(({ x }) => x)];
  const ys = [...extents.flatMap(({ y, height }) => [y, y + height]), ...lines.flat().map(({ y }) => y)];
  const [left, top] = [least(xs) - 4, least(ys) - 4];
  return {
    boxes: content.boxes.map((box, i): PlacedBox => {
      const placed = inner.get(box.id)!.content;
      const { x, y, width, height } = extents[i]!;
      return {
        box,
        x: x - left,
        y: y - top,
        width,
        height,
        ...(placed === undefined ? {} : { content: placed }),
      };
    }),
    edges: lines.map((points) => points.map(({ x, y }) => ({ x: x - left, y: y - top }))),
    width: -least(xs.map((x) => -x)) - left + 4,
    height: -least(ys.map((y) => -y)) - top + 4,
  };
}

/** Lists may be long: no spreading into arguments. */
const least = (values: readonly number[]): number =>
  values.length === 0 ? 0 : values.reduce((a, b) => Math.min(a, b));

export const drawPlaced = ({ boxes, edges }: Placed, x: number, y: number): Markup =>
  markup`${edges.map((points) => flow(points.map((point) => ({ x: point.x + x, y: point.y + y }))))}${boxes.map((box) => drawBox(box, x + box.x, y + box.y))}`;

function drawBox(placed: PlacedBox, x: number, y: number): Markup {
  const { box, content } = placed;
  const copies = box.times > 1;
  const [width, height] = [placed.width - (copies ? 8 : 0), placed.height - (copies ? 8 : 0)];
  const stack = copies
    ? markup`${rectangle(x + 8, y + 8, width, height, "stack", 10)}${rectangle(x + 4, y + 4, width, height, "stack", 10)}`
    : "";
  const about =
    box.path === "" && box.parameters === 0
      ? ""
      : `${box.path}${copies ? ` and ${box.times - 1} more like it` : ""}${box.parameters > 0 ? `: ${count(box.parameters)} parameters${copies ? " each" : ""}` : ""}`;
  return markup`<g${about === "" ? "" : markup` data-about="${about}"`}>${stack}${shape(box, content, x, y, width, height)}</g>
`;
}

function shape(
  box: Box,
  content: Placed | undefined,
  x: number,
  y: number,
  width: number,
  height: number,
): Markup {
  const note = `${box.times > 1 ? `× ${box.times}` : ""}${box.times > 1 && box.parameters > 0 ? " · " : ""}${box.parameters > 0 ? count(box.parameters) : ""}`;
  switch (box.kind) {
    case "port":
      return markup`<circle class="port" cx="${x + 4}" cy="${y + 4}" r="3.5"/>`;
    case "operator":
      return box.title === "+"
        ? markup`<circle class="join" cx="${x + 11}" cy="${y + 11}" r="10"/>${text(x + 11, y + 15.5, "+", "middle")}`
        : markup`${rectangle(x, y, width, height, "card", 13)}${text(x + width / 2, y + 17, box.title, "mono middle")}`;
    case "input":
    case "output":
      return markup`${rectangle(x, y, width, height, "io", 15)}${text(x + width / 2, y + 20, fit(box.title, width - 12), "middle bold")}`;
    case "leaf": {
      const lines = box.lines.slice(0, mostLines);
      const rest = box.lines.length - lines.length;
      return markup`${rectangle(x, y, width, height, "card", 8)}${text(x + 13, y + 20, fit(box.title, width - 20 - widthOf(note, sans), 8), "bold")}${text(x + width - 13, y + 20, note, "small soft end")}${lines.map((line, i) => text(x + 13, y + 37 + 16 * i, fit(i === mostLines - 1 && rest > 0 ? `… and ${rest + 1} more` : line, width - 20, mono), "mono soft"))}`;
    }
    case "pool":
      return drawPool(box.pool!, box.title, note, x, y, width, height);
    case "group":
      return markup`${rectangle(x, y, width, height, "group", 12)}${text(x + 14, y + 21, box.title, "bold")}${text(x + width - 14, y + 21, box.times > 1 ? `× ${box.times} · ${count(box.parameters)} parameters each` : `${count(box.parameters)} parameters`, "small soft end")}${drawPlaced(content!, x + (width - content!.width) / 2, y + groupHead)}`;
    default:
      return box.kind satisfies never;
  }
}
