// The picture of an entry: a list of its launches in order, group by group, each with its multiply-adds and a bar of the bytes
// that it touches. In: groups. Out: markup with its size.

import { bytes, count, whole } from "../numbers.ts";
import { markup, type Markup } from "../report/html.ts";
import type { Launch, LaunchGroup } from "./launches.ts";
import { fit, mono, rectangle, text } from "./svg.ts";

export interface Picture {
  readonly width: number;
  readonly height: number;
  readonly markup: Markup;
}

const width = 600;
const lineHeight = 19;
const headHeight = 62;
const titleHeight = 26;
const mostRows = 220;

const says: Readonly<Record<string, string>> = {
  forward: "inputs to logits",
  evaluate: "losses, metrics, loads and picks",
  decode: "one token, with caches",
  train: "gradients of one batch",
  update: "one step of the optimiser",
};

export function drawLaunches(name: string, groups: readonly LaunchGroup[]): Picture {
  const all = groups.flatMap(({ launches }) => launches);
  const sum = (of: (launch: Launch) => number): number =>
    all.reduce((total, launch) => total + of(launch), 0);
  const launched = groups.reduce((total, { launches, times }) => total + launches.length * times, 0);
  const top = Math.max(1, ...all.map((launch) => launch.bytes));
  const multiplyAdds = sum((launch) => launch.multiplyAdds);
  const parts: Markup[] = [
    text(16, 26, name, "bold"),
    text(width - 16, 26, says[name] ?? "", "small soft end"),
    text(
      16,
      47,
      `${whole(launched)} ${launched === 1 ? "launch" : "launches"} · ${multiplyAdds > 0 ? `${count(multiplyAdds)} multiply-adds · ` : ""}${bytes(sum((launch) => launch.bytes))} read and written`,
      "small soft",
    ),
  ];
  let y = headHeight;
  let drawn = 0;
  for (const { title, times, launches } of groups) {
    if (drawn >= mostRows) break;
    parts.push(
      markup`<line class="rule" x1="16" x2="${width - 16}" y1="${y}" y2="${y}"/>`,
      text(16, y + 17, title, "bold small"),
      times > 1 ? text(width - 16, y + 17, `× ${times}, summed`, "small soft end") : markup``,
    );
    y += titleHeight;
    for (const launch of launches) {
      if (drawn++ >= mostRows) break;
      parts.push(row(launch, y, top));
      y += lineHeight;
    }
    y += 5;
  }
  const rows = all.length;
  if (rows > mostRows) {
    parts.push(text(16, y + 14, `… and ${whole(rows - mostRows)} more`, "small soft"));
    y += lineHeight;
  }
  const height = y + 10;
  return { width, height, markup: markup`${rectangle(0, 0, width, height, "card", 12)}${parts}` };
}

function row(launch: Launch, y: number, top: number): Markup {
  const about = `${launch.label} · ${bytes(launch.bytes)}${launch.multiplyAdds > 0 ? ` · ${count(launch.multiplyAdds)} multiply-adds` : ""} · kernel ${launch.kernel} · ${launch.buffers.join(", ")}`;
  return markup`<g data-about="${about}">${text(26, y + 13, fit(launch.label, 316, mono), "mono")}${launch.multiplyAdds > 0 ? text(428, y + 13, count(launch.multiplyAdds), "small soft end") : ""}${rectangle(440, y + 4, 64, 10, "track", 3)}${rectangle(440, y + 4, Math.max(1.5, (64 * launch.bytes) / top), 10, "bar", 3)}${text(width - 16, y + 13, bytes(launch.bytes), "small soft end")}</g>
`;
}
