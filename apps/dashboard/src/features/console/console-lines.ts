import { MAX_KEPT_CONSOLE_LINES } from '@evenkeel/protocol';
import type { ConsoleLines, ConsoleRow } from '../../trpc/client.tsx';
import { plainText } from './ansi.ts';

/** Lines are drawn in blocks of so many, so that a line that comes draws only its own block again. */
const BLOCK = 100;

/** What a line is found by. */
export type LineKey = Pick<ConsoleRow, 'attempt' | 'writer' | 'line'>;

/** What a line is called in the address: attempt, writer and number, as in `?line=1.0.42`. */
export function keyOf({ attempt, writer, line }: LineKey): string {
  return `${attempt}.${writer}.${line}`;
}

/**
 * What was read, with lines that were stored or changed since. Where only the last lines were read, what is before them
 * stays out.
 */
export function mergeLines(kept: ConsoleLines, news: ConsoleLines): ConsoleLines {
  if (news.revision <= kept.revision) return kept;
  const [first] = kept.lines;
  const lines: ConsoleRow[] = [];
  let at = 0;
  for (const line of news.lines) {
    if (kept.hasMore && first && inOrder(line, first) < 0) continue;
    for (let next = kept.lines[at]; next && inOrder(next, line) < 0; next = kept.lines[++at]) lines.push(next);
    const replaced = kept.lines[at];
    if (replaced && inOrder(replaced, line) === 0) at += 1;
    lines.push(line);
  }
  lines.push(...kept.lines.slice(at));
  return { ...news, hasMore: kept.hasMore, lines: newest(lines) };
}

/** As the server keeps them: the oldest of any client go first, wherever they stand. */
function newest(lines: ConsoleRow[]): ConsoleRow[] {
  if (lines.length <= MAX_KEPT_CONSOLE_LINES) return lines;
  const oldest = lines.map(({ time }) => time).sort((a, b) => b - a)[MAX_KEPT_CONSOLE_LINES - 1] ?? 0;
  return lines.filter(({ time }) => time >= oldest);
}

function inOrder(a: ConsoleRow, b: ConsoleRow): number {
  return a.attempt - b.attempt || a.writer - b.writer || a.line - b.line;
}

/** Lines that follow each other, with what is to be said before them. */
export interface Block {
  key: string;
  /** Such as `attempt 2`; null where the lines continue those of the block before. */
  heading: string | null;
  lines: ConsoleRow[];
}

/** The lines in blocks: a new one after {@link BLOCK} numbers, at a gap, and where another client or attempt begins. */
export function toBlocks(lines: readonly ConsoleRow[]): Block[] {
  const blocks: Block[] = [];
  let former: ConsoleRow | undefined;
  for (const line of lines) {
    const heading = headingOf(former, line);
    const open = blocks.at(-1);
    if (open && heading === null && line.line % BLOCK !== 0) open.lines.push(line);
    else blocks.push({ key: keyOf(line), heading, lines: [line] });
    former = line;
  }
  return blocks;
}

function headingOf(former: ConsoleRow | undefined, line: ConsoleRow): string | null {
  if (!former) return line.attempt > 1 ? `attempt ${line.attempt}` : null;
  if (former.attempt !== line.attempt) return `attempt ${line.attempt}`;
  if (former.writer !== line.writer) return 'the job writes again';
  const missing = line.line - former.line - 1;
  return missing === 0 ? null : missingWords(missing);
}

function missingWords(count: number): string {
  return count === 1 ? '1 line is missing' : `${count.toLocaleString('en')} lines are missing`;
}

/** Whether two blocks show the same: lines are never changed in place. */
export function isSameBlock(a: Block, b: Block): boolean {
  const isSame = a.key === b.key && a.heading === b.heading && a.lines.length === b.lines.length;
  return isSame && a.lines.every((line, at) => line === b.lines[at]);
}

/** The keys of the lines that have some words in them, in order, whatever their case. */
export function findLines(lines: readonly ConsoleRow[], words: string): string[] {
  if (words === '') return [];
  const sought = words.toLowerCase();
  return lines.filter(({ text }) => plainText(text).toLowerCase().includes(sought)).map(keyOf);
}

/** The place of the match after another, or before it, around the ends. From no match on it is the last, or the first. */
export function nextMatch(matches: readonly string[], current: string | null, step: 1 | -1): string | undefined {
  const at = current === null ? -1 : matches.indexOf(current);
  if (at < 0) return step === 1 ? matches[0] : matches.at(-1);
  return matches[(at + step + matches.length) % matches.length];
}

/** As a text file has them. */
export function toText(lines: readonly ConsoleRow[]): string {
  return lines.map(({ text }) => `${plainText(text)}\n`).join('');
}
