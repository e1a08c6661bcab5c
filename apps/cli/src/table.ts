import { printable } from '@evenkeel/protocol';
import { textTable } from '@evenkeel/terminal';

/** Prints rows of cells, which may be text from elsewhere, with aligned columns. */
export function printTable(rows: readonly (readonly string[])[]): void {
  for (const line of textTable(rows.map((row) => row.map(printable)))) console.log(line);
}
