/** The headings, then a row for each line; a cell is text of one line. */
type Rows = readonly (readonly string[])[];

type Alignment = 'left' | 'right';

/**
 * Lines of plain text with aligned columns, two spaces apart.
 * The last cell of a row that is shorter than the headings spans the columns that the row lacks.
 * @param alignment by column; `left` where it names none.
 */
export function textTable(rows: Rows, alignment: readonly Alignment[] = []): string[] {
  const columns = rows[0]?.length ?? 0;
  const spans = (row: readonly string[], column: number) => row.length < columns && column === row.length - 1;
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => (spans(row, column) ? 0 : (row[column]?.length ?? 0)))),
  );
  return rows.map((row) => {
    const cells = row.map((cell, column) => {
      const width = spans(row, column) ? 0 : (widths[column] ?? 0);
      return alignment[column] === 'right' ? cell.padStart(width) : cell.padEnd(width);
    });
    return cells.join('  ').trimEnd();
  });
}

/**
 * The same as lines of Markdown.
 * @param alignment by column; left to the reader's program where it names none.
 */
export function markdownTable([headings = [], ...rows]: Rows, alignment: readonly Alignment[] = []): string[] {
  const rule = headings.map((_, column) => (alignment[column] === 'right' ? '--:' : '---'));
  return [headings, rule, ...rows].map((cells) => `| ${cells.join(' | ')} |`);
}
