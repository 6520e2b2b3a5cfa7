// The script of the report, as functions that are written into the page as text: each uses only what it is given and what
// a browser has, nothing of this module. In: the page's data. Out: charts, strips of load, the coloured text.
// The page says everything that matters without it: numbers, tables and sentences are markup.

import type uPlot from "uplot";
import type { SampleText } from "./routing.ts";

export interface ChartData {
  readonly id: string;
  readonly x: readonly number[];
  readonly series: readonly {
    readonly label: string;
    /** The style sheet's colour. */
    readonly tone: "train" | "held" | "third";
    readonly look: "line" | "faint" | "dots";
    readonly y: readonly (number | null)[];
  }[];
  /** How values are read. */
  readonly unit: "number" | "percent";
  /** The axis begins at zero: small changes of a large number should look small. */
  readonly fromZero: boolean;
  /** Upright lines with a name: where phases begin. */
  readonly marks: readonly { readonly x: number; readonly label: string }[];
}

export interface PageData {
  readonly charts: readonly ChartData[];
  readonly sample?: SampleText & { readonly experts: readonly number[] };
}

/** uPlot draws on a canvas, which knows nothing of style sheets: colours are read, and all is drawn again when they change. */
export function drawCharts(data: PageData, Plot: typeof uPlot): void {
  const narrow = (text: string): string => text.replace(/e([+-])0*/, "e$1");
  const short = (value: number, unit: string): string => {
    if (unit === "percent") return `${Number((100 * value).toPrecision(3))} %`;
    const size = Math.abs(value);
    if (size >= 1e9) return `${Number((value / 1e9).toPrecision(3))} G`;
    if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))} M`;
    if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))} k`;
    return size !== 0 && size < 1e-4 ? narrow(value.toExponential(1)) : String(Number(value.toPrecision(4)));
  };
  let plots: { readonly plot: uPlot; readonly box: HTMLElement }[] = [];
  const heightOf = (box: HTMLElement): number => (box.closest(".wide") === null ? 190 : 280);
  const draw = (): void => {
    for (const { plot } of plots) plot.destroy();
    const css = getComputedStyle(document.documentElement);
    const colour = (name: string): string => css.getPropertyValue(`--${name}`).trim();
    const font = "12px system-ui, sans-serif";
    plots = data.charts.flatMap((chart) => {
      const box = document.getElementById(chart.id);
      if (box === null) return [];
      const axis = {
        stroke: colour("soft"),
        font,
        ticks: { show: false },
        grid: { stroke: colour("line"), width: 1 },
      };
      const one = chart.x.length === 1;
      const plot = new Plot(
        {
          width: Math.max(200, box.clientWidth),
          height: heightOf(box),
          scales: {
            x: { time: false, ...(one ? { range: () => [chart.x[0]! - 1, chart.x[0]! + 1] } : {}) },
            y: chart.fromZero ? { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } : {},
          },
          cursor: { points: { size: 7 }, drag: { x: true, y: false } },
          legend: { live: true },
          hooks: {
            draw: [
              ({ ctx, bbox, valToPos }: uPlot) => {
                ctx.save();
                ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
                ctx.fillStyle = ctx.strokeStyle = colour("soft");
                ctx.setLineDash([4, 4]);
                for (const { x, label } of chart.marks) {
                  const at = Math.round(valToPos(x, "x", true)) + 0.5;
                  if (at < bbox.left || at > bbox.left + bbox.width) continue;
                  ctx.beginPath();
                  ctx.moveTo(at, bbox.top);
                  ctx.lineTo(at, bbox.top + bbox.height);
                  ctx.stroke();
                  ctx.fillText(label, at + 4, bbox.top + 12 * devicePixelRatio);
                }
                ctx.restore();
              },
            ],
          },
          axes: [
            {
              ...axis,
              size: 32,
              values: (_, splits) => splits.map((value) => (Number.isInteger(value) ? short(value, "") : "")),
            },
            { ...axis, size: 62, values: (_, splits) => splits.map((value) => short(value, chart.unit)) },
          ],
          series: [
            { label: "step", value: (_, value) => (value === null ? "–" : String(value)) },
            ...chart.series.map((series) => ({
              label: series.label,
              stroke: series.look === "faint" ? `${colour(series.tone)}55` : colour(series.tone),
              width: series.look === "faint" ? 1 : 2,
              spanGaps: true,
              points: { show: series.look === "dots" || one, size: 6, fill: colour("card"), width: 2 },
              value: (_: uPlot, value: number | null) => (value === null ? "–" : short(value, chart.unit)),
            })),
          ],
        },
        [chart.x, ...chart.series.map(({ y }) => y)] as unknown as uPlot.AlignedData,
        box,
      );
      return [{ plot, box }];
    });
  };
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  let waiting = 0;
  addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = window.setTimeout(() => {
      for (const { plot, box } of plots)
        plot.setSize({ width: Math.max(200, box.clientWidth), height: heightOf(box) });
    }, 100);
  });
}

/** Strips: one byte for each bucket of time. 0 is unknown, else 128 + 40 log2(load / even share). One pixel high, stretched by the style. */
export function drawStrips(): void {
  const draw = (): void => {
    const css = getComputedStyle(document.documentElement);
    const colour = (name: string): number[] => {
      const text = css.getPropertyValue(`--${name}`).trim();
      return [1, 3, 5].map((at) => parseInt(text.slice(at, at + 2), 16));
    };
    const [calm, over, under] = [colour("calm"), colour("over"), colour("under")];
    for (const canvas of document.querySelectorAll<HTMLCanvasElement>("canvas[data-strip]")) {
      const bytes = Uint8Array.from(atob(canvas.dataset["strip"]!), (character) => character.charCodeAt(0));
      const context = canvas.getContext("2d");
      if (context === null || bytes.length === 0) continue;
      canvas.width = bytes.length;
      canvas.height = 1;
      const image = context.createImageData(bytes.length, 1);
      bytes.forEach((byte, i) => {
        if (byte === 0) return;
        const level = (byte - 128) / 40;
        const part = Math.min(1, Math.abs(level) / 2);
        const target = level < 0 ? under : over;
        for (let c = 0; c < 3; c++) image.data[4 * i + c] = calm[c]! + (target[c]! - calm[c]!) * part;
        image.data[4 * i + 3] = 255;
      });
      context.putImageData(image, 0, 0);
    }
  };
  draw();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
}

/** The text, coloured by the first expert of each token. Arrow keys walk through it; a button of the legend shows one expert. */
export function colourSample(data: PageData): void {
  const sample = data.sample;
  const text = document.getElementById("sample-text");
  const choice = document.getElementById("sample-layer") as HTMLSelectElement | null;
  const hues = document.getElementById("sample-hues");
  const told = document.getElementById("sample-told");
  if (sample === undefined || text === null || choice === null || hues === null || told === null) return;
  const tokens = [...text.querySelectorAll("span")];
  let only = -1;
  let here = -1;
  const router = (): SampleText["routers"][number] => sample.routers[Number(choice.value)]!;
  const experts = (): number => sample.experts[Number(choice.value)]!;
  const nameOf = (expert: number): string =>
    expert < experts() ? `expert ${expert}` : `null ${expert - experts()}`;
  const hueOf = (expert: number): string => String(Math.round((expert * 137.508 + 30) % 360));
  const picksOf = (token: number): readonly number[] =>
    router()
      .picks.slice(token * router().width, (token + 1) * router().width)
      .filter((expert) => expert >= 0);
  const paint = (): void => {
    tokens.forEach((span, token) => {
      const picks = picksOf(token);
      const expert = only >= 0 && picks.includes(only) ? only : picks[0];
      span.style.setProperty("--h", expert === undefined ? "0" : hueOf(expert));
      span.className = expert === undefined ? "none" : only >= 0 && expert !== only ? "faint" : "";
      if (token === here) span.classList.add("here");
    });
  };
  const legend = (): void => {
    const seen = [...new Set(router().picks)].filter((expert) => expert >= 0).sort((a, b) => a - b);
    hues.replaceChildren(
      ...seen.map((expert) => {
        const button = document.createElement("button");
        button.type = "button";
        button.textContent = nameOf(expert);
        button.style.setProperty("--h", hueOf(expert));
        button.setAttribute("aria-pressed", "false");
        button.addEventListener("click", () => {
          only = only === expert ? -1 : expert;
          for (const other of hues.children)
            other.setAttribute("aria-pressed", String(only >= 0 && other === button));
          paint();
        });
        return button;
      }),
    );
  };
  const tell = (token: number): void => {
    if (token < 0 || token >= tokens.length) return;
    here = token;
    const picks = picksOf(token);
    const piece = JSON.stringify(sample.pieces[token]);
    told.textContent = `Token ${token + 1}, ${piece}: ${picks.length === 0 ? "no expert" : picks.map(nameOf).join(", ")}.`;
    paint();
  };
  const renew = (): void => {
    only = -1;
    legend();
    paint();
  };
  choice.addEventListener("change", renew);
  text.addEventListener("pointerover", (event) => tell(tokens.indexOf(event.target as HTMLSpanElement)));
  text.addEventListener("click", (event) => tell(tokens.indexOf(event.target as HTMLSpanElement)));
  text.addEventListener("keydown", (event) => {
    const move = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (move === 0) return;
    event.preventDefault();
    tell(Math.max(0, Math.min(tokens.length - 1, here + move)));
  });
  renew();
}
