import { printable } from '@evenkeel/protocol';

/** Prints rows of cells with aligned columns. */
export function printTable(table: readonly (readonly string[])[]): void {
  const rows = table.map((row) => row.map(printable));
  const widths = (rows[0] ?? []).map((_, column) =>
    rows.reduce((width, row) => Math.max(width, row[column]?.length ?? 0), 0),
  );
  for (const row of rows)
    console.log(
      row
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
}
