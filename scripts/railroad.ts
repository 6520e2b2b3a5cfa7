// Railroad diagrams as SVG text. In: a production as terminals, rules, sequences, choices, options and loops. Out: one SVG
// that follows the page's light or dark scheme. Each shape knows its width and its extent above and below its line.

export type Track =
  | { readonly track: "word"; readonly text: string }
  | { readonly track: "rule"; readonly text: string }
  | { readonly track: "sequence"; readonly items: readonly Track[] }
  | { readonly track: "choice"; readonly items: readonly Track[] }
  | { readonly track: "option"; readonly item: Track }
  /** Once or more, with `separator` on the way back. */
  | { readonly track: "loop"; readonly item: Track; readonly separator?: Track };

interface Shape {
  readonly width: number;
  readonly up: number;
  readonly down: number;
  readonly draw: (x: number, y: number) => string;
}

const gap = 10;
const rowGap = 8;
const half = 11;
const letter = 7.3;
const bend = 8;

const path = (d: string): string => `<path d="${d}"/>`;
const across = (x: number, y: number, to: number): string => (to > x ? path(`M${x} ${y}H${to}`) : "");
const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

function shapeOf(track: Track): Shape {
  switch (track.track) {
    case "word":
    case "rule": {
      const width = Math.ceil(track.text.length * letter) + 20;
      const radius = track.track === "word" ? half : 0;
      return {
        ...{ width, up: half, down: half },
        draw: (x, y) =>
          `<rect class="${track.track}" x="${x}" y="${y - half}" width="${width}" height="${2 * half}" rx="${radius}"/>` +
          `<text x="${x + width / 2}" y="${y + 4}">${escape(track.text)}</text>`,
      };
    }
    case "sequence":
      return sequence(track.items.map(shapeOf));
    case "choice":
      return choice(track.items.map(shapeOf));
    case "option":
      return choice([sequence([]), shapeOf(track.item)]);
    case "loop":
      return loop(
        shapeOf(track.item),
        track.separator === undefined ? sequence([]) : shapeOf(track.separator),
      );
    default:
      return track satisfies never;
  }
}

function sequence(items: readonly Shape[]): Shape {
  if (items.length === 0) return { width: 0, up: 0, down: 0, draw: () => "" };
  return {
    width: items.reduce((sum, { width }) => sum + width, gap * (items.length - 1)),
    up: Math.max(...items.map(({ up }) => up)),
    down: Math.max(...items.map(({ down }) => down)),
    draw: (x, y) => {
      let at = x;
      return items
        .map((item, i) => {
          const line = i === 0 ? "" : across(at - gap, y, at);
          const drawn = line + item.draw(at, y);
          at += item.width + gap;
          return drawn;
        })
        .join("");
    },
  };
}

/** The first on the line, the others below it. */
function choice(items: readonly Shape[]): Shape {
  const inner = Math.max(...items.map(({ width }) => width));
  const side = 2 * bend;
  const offsets: number[] = [];
  let below = 0;
  items.forEach((item, i) => {
    const before = items[i - 1];
    if (before !== undefined) below += Math.max(before.down, bend) + rowGap + Math.max(item.up, bend);
    offsets.push(below);
  });
  return {
    width: inner + 2 * side,
    up: items[0]!.up,
    down: below + items.at(-1)!.down,
    draw: (x, y) => {
      const end = x + inner + 2 * side;
      return items
        .map((item, i) => {
          const row = y + offsets[i]!;
          const from = x + side;
          const line = across(from + item.width, row, end - side);
          if (i === 0) return across(x, y, from) + item.draw(from, y) + line + across(end - side, y, end);
          const down = path(`M${x} ${y}q${bend} 0 ${bend} ${bend}V${row - bend}q0 ${bend} ${bend} ${bend}`);
          const up = path(
            `M${end - side} ${row}q${bend} 0 ${bend} ${-bend}V${y + bend}q0 ${-bend} ${bend} ${-bend}`,
          );
          return down + item.draw(from, row) + line + up;
        })
        .join("");
    },
  };
}

/** The item on the line, the way back below it. */
function loop(item: Shape, back: Shape): Shape {
  const inner = Math.max(item.width, back.width);
  const drop = Math.max(item.down, bend) + rowGap + Math.max(back.up, bend);
  return {
    width: inner + 2 * bend,
    up: item.up,
    down: drop + Math.max(back.down, 2),
    draw: (x, y) => {
      const [from, end, row] = [x + bend, x + inner + bend, y + drop];
      const middle = from + (inner - back.width) / 2;
      return (
        across(x, y, from) +
        item.draw(from, y) +
        across(from + item.width, y, end + bend) +
        path(`M${end} ${y}q${bend} 0 ${bend} ${bend}V${row - bend}q0 ${bend} ${-bend} ${bend}`) +
        across(middle + back.width, row, end) +
        back.draw(middle, row) +
        across(from, row, middle) +
        path(`M${from} ${row}q${-bend} 0 ${-bend} ${-bend}V${y + bend}q0 ${-bend} ${bend} ${-bend}`)
      );
    },
  };
}

const style =
  "path{fill:none;stroke:#57606a;stroke-width:1.5}rect{stroke:#57606a;stroke-width:1.2}.word{fill:#ddf4ff}.rule{fill:#f6f8fa}" +
  "text{font:12px ui-monospace,monospace;text-anchor:middle;fill:#1f2328}" +
  "@media(prefers-color-scheme:dark){path,rect{stroke:#9198a1}.word{fill:#0c2d48}.rule{fill:#21262d}text{fill:#e6edf3}}";

export function railroad(track: Track, title: string): string {
  const shape = shapeOf(track);
  const [width, height, y] = [shape.width + 60, shape.up + shape.down + 16, shape.up + 8];
  const ends = path(
    `M10 ${y - 7}v14M10 ${y}H30M${shape.width + 30} ${y}H${width - 10}M${width - 10} ${y - 7}v14`,
  );
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img">` +
    `<title>${escape(title)}</title><style>${style}</style>${ends}${shape.draw(30, y)}</svg>\n`
  );
}
