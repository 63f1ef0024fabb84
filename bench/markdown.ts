/**
 * A Markdown table, aligned for the terminal too.
 * @param texts - the number of first columns that hold text; the others hold numbers
 */
export function markdownTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  texts: number,
): string[] {
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]?.length ?? 0)))
  const pad = (text: string, i: number) => (i < texts ? text.padEnd(widths[i] ?? 0) : text.padStart(widths[i] ?? 0))
  const line = (row: readonly string[]) => `| ${row.map(pad).join(' | ')} |`
  const rule = widths.map((width, i) => (i < texts ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [line(header), `| ${rule.join(' | ')} |`, ...rows.map(line)]
}
