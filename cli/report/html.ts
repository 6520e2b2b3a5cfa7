// Markup as values: text that is put into a page is escaped unless it is markup already, so no name, token or path of a
// user can end a tag. In: templates. Out: `Markup`, and JSON that may stand inside a script element.

export interface Markup {
  readonly markup: string;
}
export type Content = string | number | Markup | undefined | false | readonly Content[];

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

// Characters that XML has no way to say (an SVG file is XML) are shown as U+FFFD.
// eslint-disable-next-line no-control-regex
const unspeakable =
  /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

export const escapeText = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => entities[character]!).replace(unspeakable, "\ufffd");

function render(content: Content): string {
  if (content === undefined || content === false) return "";
  if (typeof content === "string") return escapeText(content);
  if (typeof content === "number") return String(content);
  if ("markup" in content) return content.markup;
  return content.map(render).join("");
}

/** Tagged template (not called `html`: formatters would move its spaces): what is interpolated is escaped; lists are joined; `undefined` and `false` are nothing. */
export const markup = (parts: TemplateStringsArray, ...values: readonly Content[]): Markup => ({
  markup: parts.map((part, i) => (i === 0 ? part : render(values[i - 1]) + part)).join(""),
});

/** Text that is markup by construction: styles, scripts, drawings. */
export const raw = (markup: string): Markup => ({ markup });

/** JSON for a script element: `<` cannot occur, so no `</script>` and no `<!--`; nor the two line ends that old scripts trip on. */
export const embedJson = (value: unknown): Markup => ({
  markup: JSON.stringify(value)
    .replaceAll("<", "\\u003c")
    .replaceAll("\u2028", "\\u2028")
    .replaceAll("\u2029", "\\u2029"),
});
