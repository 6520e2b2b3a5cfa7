// Tables in Markdown. `align`: a letter for each column, `l` or `r`.

export function markdownTable(
  head: readonly string[],
  align: string,
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
  const rule = line([...align].map((letter) => (letter === "r" ? "--:" : "---")));
  return [line(head), rule, ...rows.map(line)].join("\n");
}
