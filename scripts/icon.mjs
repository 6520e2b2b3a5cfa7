// The icon: one token on the left, a router's lines to four experts on the right, two of them chosen. Drawn by hand into a PNG, so
// that nothing but these numbers is needed. In: a size in pixels. Out: bytes.
import { deflateSync } from "node:zlib";

const blue = [86, 156, 255];
const grey = [70, 84, 110];
const gold = [255, 190, 92];
const night = [22, 27, 40];

/** Shapes in a square of 128: how far a point is outside of one, and its colour; later ones lie over earlier ones. */
const experts = [24, 51, 77, 104];
const chosen = new Set([1, 3]);
const segment = (x1, y1, x2, y2, width) => (x, y) => {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const t = Math.min(1, Math.max(0, ((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy)));
  return Math.hypot(x - x1 - t * dx, y - y1 - t * dy) - width / 2;
};
const disc = (cx, cy, radius) => (x, y) => Math.hypot(x - cx, y - cy) - radius;
const rounded = (x, y) =>
  Math.hypot(Math.max(0, Math.abs(x - 64) - 40), Math.max(0, Math.abs(y - 64) - 40)) - 24;
const isChosen = (i) => chosen.has(i);
const order = [...experts.keys()].sort((a, b) => Number(isChosen(a)) - Number(isChosen(b)));
const shapes = [
  { far: rounded, colour: night },
  ...order.map((i) => ({
    far: segment(34, 64, 94, experts[i], isChosen(i) ? 6 : 4),
    colour: isChosen(i) ? gold : grey,
  })),
  ...order.map((i) => ({ far: disc(94, experts[i], 11), colour: isChosen(i) ? gold : grey })),
  { far: disc(34, 64, 15), colour: blue },
];

export function icon(size = 128) {
  const scale = 128 / size;
  const rows = Buffer.alloc(size * (4 * size + 1));
  for (let row = 0; row < size; row++)
    for (let column = 0; column < size; column++) {
      const [x, y] = [(column + 0.5) * scale, (row + 0.5) * scale];
      let [colour, alpha] = [night, 0];
      for (const shape of shapes) {
        const cover = Math.min(1, Math.max(0, 0.5 - shape.far(x, y) / scale));
        if (cover === 0) continue;
        const under = alpha * (1 - cover);
        colour = colour.map((each, i) => (each * under + shape.colour[i] * cover) / (under + cover));
        alpha = under + cover;
      }
      rows.set([...colour.map(Math.round), Math.round(255 * alpha)], row * (4 * size + 1) + 1 + 4 * column);
    }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(size, 0);
  header.writeUInt32BE(size, 4);
  header.set([8, 6, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    part("IHDR", header),
    part("IDAT", deflateSync(rows, { level: 9 })),
    part("IEND", Buffer.alloc(0)),
  ]);
}

function part(name, data) {
  const body = Buffer.concat([Buffer.from(name, "latin1"), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(checksum(body));
  return Buffer.concat([length, body, sum]);
}

/** The CRC of PNG and zip. */
function checksum(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}
