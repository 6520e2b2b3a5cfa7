// The look of the report: one style sheet, light and dark by the reader's setting, from a phone's width to a desk's.
// Two hues carry meaning everywhere: `over` (orange) is more than an even share, `under` (blue) less.

export const reportStyle = `
:root {
  color-scheme: light dark;
  --paper: #f7f6f3; --card: #ffffff; --ink: #1d1c1a; --soft: #68645d; --line: #e4e1da; --calm: #e9e6df;
  --train: #2f6fde; --held: #d9631e; --third: #178a6b; --over: #e2711d; --under: #2f6fde; --tint: 0.86 0.085; --tint-ink: #1d1c1a;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #131416; --card: #1b1d20; --ink: #e9e7e2; --soft: #9c9890; --line: #2e3136; --calm: #2b2e33;
    --train: #6ea3ff; --held: #ff9b57; --third: #45c9a3; --over: #f08a3c; --under: #5b95ff; --tint: 0.42 0.085; --tint-ink: #f3f1ec;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
@media (prefers-reduced-motion: reduce) { html { scroll-behavior: auto; } }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; }
main, header, footer { max-width: 1180px; margin: 0 auto; padding: 0 clamp(14px, 3vw, 32px); }
header { padding-top: 30px; }
h1 { font-size: clamp(26px, 4vw, 36px); line-height: 1.15; margin: 0; letter-spacing: -0.015em; overflow-wrap: anywhere; }
h2 { font-size: 22px; margin: 44px 0 4px; letter-spacing: -0.01em; }
h3 { font-size: 16px; margin: 26px 0 2px; }
p { margin: 4px 0 10px; } .note { color: var(--soft); max-width: 78ch; } .sub { color: var(--soft); margin: 6px 0 0; overflow-wrap: anywhere; }
a { color: inherit; text-decoration-color: var(--soft); text-underline-offset: 2px; }
:focus-visible { outline: 2px solid var(--train); outline-offset: 2px; border-radius: 4px; }
code, .mono { font-family: ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; font-size: 0.92em; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(150px, 1fr)); gap: 10px; margin: 22px 0 0; padding: 0; list-style: none; }
.tiles li { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 10px 14px 9px; min-width: 0; }
.tiles b { display: block; font-size: 21px; font-weight: 650; letter-spacing: -0.01em; font-variant-numeric: tabular-nums; }
.tiles span { color: var(--soft); font-size: 13px; } .tiles small { color: var(--soft); font-size: 12.5px; display: block; }
.charts { display: flex; flex-wrap: wrap; gap: 14px; margin-top: 14px; } .charts figure { flex: 1 1 250px; }
figure { margin: 0; background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 12px 14px 10px; min-width: 0; }
.charts figure.wide { flex-basis: 100%; }
figcaption b { font-weight: 620; } figcaption .note { font-size: 13px; line-height: 1.4; margin: 1px 0 4px; }
.plot { min-height: 190px; } .wide .plot { min-height: 280px; }
.uplot, .uplot *, .uplot *::before, .uplot *::after { box-sizing: border-box; }
.uplot { font: inherit; } .u-legend { font-size: 12.5px; color: var(--soft); text-align: left; } .u-legend .u-value { font-variant-numeric: tabular-nums; color: var(--ink); }
.u-select { background: color-mix(in srgb, var(--train) 15%, transparent); }
.scroll { overflow-x: auto; -webkit-overflow-scrolling: touch; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th { font-weight: 560; text-align: left; } thead th { color: var(--soft); font-size: 12.5px; font-weight: 500; padding: 4px 8px; vertical-align: bottom; }
.layers { width: 100%; margin-top: 10px; } .layers td, .layers tbody th { padding: 7px 8px; border-top: 1px solid var(--line); white-space: nowrap; }
.layers td.n, .layers thead th.n { text-align: right; } .layers svg { display: block; width: 110px; height: 26px; }
details.layer { background: var(--card); border: 1px solid var(--line); border-radius: 12px; margin-top: 12px; padding: 0 16px; }
details.layer > summary { cursor: pointer; padding: 12px 0; display: flex; flex-wrap: wrap; gap: 2px 14px; align-items: baseline; list-style: none; }
details.layer > summary::-webkit-details-marker { display: none; } details.layer > summary::before { content: "▸"; color: var(--soft); width: 0.8em; } details.layer[open] > summary::before { content: "▾"; }
details.layer > summary b { font-size: 16px; overflow-wrap: anywhere; } details.layer > summary span { color: var(--soft); }
details.layer[open] { padding-bottom: 16px; }
details.more { margin-top: 12px; } details.more > summary { cursor: pointer; color: var(--soft); }
.experts { width: 100%; table-layout: fixed; margin-top: 6px; } .experts td, .experts tbody th { padding: 3px 8px; vertical-align: middle; border-top: 1px solid var(--line); }
.experts .c-name { width: 74px; } .experts .c-strip { width: 27%; } .experts .c-load { width: 19%; }
.experts tbody th { font-size: 13.5px; white-space: nowrap; } .experts tr.null th { color: var(--soft); font-weight: 400; }
.strip { display: block; width: 100%; height: 22px; border-radius: 3px; background: var(--calm); image-rendering: pixelated; }
.load { position: relative; height: 22px; border-radius: 3px; background: linear-gradient(var(--calm), var(--calm)) left / calc(var(--part) * 1%) 100% no-repeat; font-size: 12.5px; line-height: 22px; padding-left: 6px; }
.load::after { content: ""; position: absolute; inset: -3px auto -3px calc(var(--even) * 1%); border-left: 1px dashed var(--soft); }
.load.o { background-image: linear-gradient(color-mix(in oklab, var(--over) 55%, var(--calm)) 0 0); } .load.u { background-image: linear-gradient(color-mix(in oklab, var(--under) 45%, var(--calm)) 0 0); }
.chips { display: flex; flex-wrap: wrap; gap: 3px 5px; padding: 2px 0; }
.chip { background: color-mix(in oklab, var(--over) calc(var(--v) * 1%), var(--calm)); border-radius: 4px; padding: 0 6px; font: 12.5px/20px ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre; max-width: 100%; overflow: hidden; text-overflow: ellipsis; }
.chip small { font: 10.5px/1 system-ui, sans-serif; opacity: 0.72; margin-left: 4px; }
.matrix { font-size: 12.5px; margin-top: 4px; } .matrix tbody th { padding: 2px 10px 2px 0; white-space: nowrap; font-weight: 450; position: sticky; left: 0; background: var(--card); max-width: 180px; overflow: hidden; text-overflow: ellipsis; }
.matrix td { padding: 2px 4px; min-width: 34px; height: 24px; text-align: center; border: 1px solid var(--card); background: var(--calm); } .matrix thead th { text-align: center; padding: 2px 4px; }
.matrix td.o, .key.o { background: color-mix(in oklab, var(--over) calc(var(--v) * 1%), var(--calm)); } .matrix td.u, .key.u { background: color-mix(in oklab, var(--under) calc(var(--v) * 1%), var(--calm)); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 14px; color: var(--soft); font-size: 12.5px; align-items: center; margin: 2px 0 6px; }
.legend span { white-space: nowrap; } .key { display: inline-block; width: 18px; height: 12px; border-radius: 2px; background: var(--calm); margin-right: 5px; vertical-align: -1px; }
.maps { display: flex; flex-wrap: wrap; gap: 10px; margin-top: 8px; } .maps div { text-align: center; font-size: 12px; color: var(--soft); } .maps svg { display: block; width: 84px; height: auto; border-radius: 4px; background: var(--calm); } .maps path { fill: var(--over); } .maps path.u { fill: var(--under); }
.sample { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 14px 16px; margin-top: 10px; }
.sample .text { font: 15px/1.95 ui-serif, Charter, Georgia, "DejaVu Serif", serif; white-space: pre-wrap; overflow-wrap: anywhere; margin: 12px 0 6px; max-width: 84ch; }
.sample .text span { background: oklch(var(--tint) var(--h)); color: var(--tint-ink); padding: 2px 0; border-radius: 2px; } .sample .text span.none { background: none; color: inherit; } .sample .text span.faint { background: none; color: var(--soft); }
.sample .text span.here { outline: 2px solid var(--ink); }
.hues { display: flex; flex-wrap: wrap; gap: 5px; max-height: 96px; overflow: auto; padding: 2px; } .hues button { border: 0; border-radius: 5px; padding: 2px 9px; font: inherit; font-size: 12.5px; background: oklch(var(--tint) var(--h)); color: var(--tint-ink); cursor: pointer; } .hues button[aria-pressed="true"] { box-shadow: 0 0 0 2px var(--ink); }
select { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line); border-radius: 6px; padding: 3px 8px; max-width: 100%; }
blockquote { margin: 10px 0 0; background: var(--card); border: 1px solid var(--line); border-left: 3px solid var(--third); border-radius: 8px; padding: 12px 16px; font: 15px/1.65 ui-serif, Charter, Georgia, "DejaVu Serif", serif; white-space: pre-wrap; overflow-wrap: anywhere; max-width: 84ch; } blockquote b { color: var(--soft); font-weight: 400; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 3px 18px; margin: 10px 0 0; } dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
.empty { color: var(--soft); background: var(--card); border: 1px dashed var(--line); border-radius: 10px; padding: 16px; }
footer { color: var(--soft); font-size: 13px; padding-top: 40px; padding-bottom: 40px; }
@media (max-width: 720px) {
  .experts, .experts tbody { display: block; } .experts thead { display: none; }
  .experts tr { display: grid; grid-template-columns: 78px 1fr 104px; border-top: 1px solid var(--line); padding: 5px 0; } .experts td, .experts tbody th { border: 0; padding: 2px 4px; }
  .experts td.sees { grid-column: 1 / -1; } dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 6px; }
}
@media print { details.layer { break-inside: avoid; } body { background: none; } }
`;
