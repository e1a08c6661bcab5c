import { randomUUID } from 'node:crypto';
import { type ConsoleLine, MAX_CONSOLE_LINES, MAX_KEPT_CONSOLE_LINES } from '@evenkeel/protocol';
import { eq } from 'drizzle-orm';
import { expect, test } from 'vitest';
import { type Console, type ConsoleQuery, readConsole } from '../reads/console.ts';
import { consoleLine, consoleOutput } from '../tables/schema.ts';
import { describeDatabases } from '../testing.ts';
import { aRun, begin, later, NOW } from '../testing-data.ts';
import { appendConsole } from './console.ts';
import { finishRun, startRun } from './run.ts';
import { deleteRun } from './run-removal.ts';

const ONE = randomUUID();
const OTHER = randomUUID();

function aLine(line: number, text: string, more: Partial<ConsoleLine> = {}): ConsoleLine {
  return { line, text, time: NOW.getTime() + line, stream: 'stdout', cut: 0, ...more };
}

const numbered = (first: number, count: number) => Array.from({ length: count }, (_, at) => aLine(first + at, 'x'));
const texts = ({ lines }: Console) => lines.map(({ text }) => text);

describeDatabases('console output', (db) => {
  const append = (run: string, lines: ConsoleLine[], { attempt = 1, session = ONE as string | null } = {}) =>
    appendConsole(db(), { run, attempt, lines }, session);
  const read = (run: string, more: Partial<ConsoleQuery> = {}) => readConsole(db(), { run, limit: 20_000, ...more });

  test('is read as it was written, and a run without any has none', async () => {
    const run = await begin(db());
    expect(await read(run)).toEqual({ revision: 0, total: 0, lines: [], hasMore: false });
    const text = '\u001b[31m<b>λ</b>\u001b[0m "\\u0041" \t $1';
    await append(run, [aLine(0, ''), aLine(1, text, { stream: 'stderr', cut: 7, time: NOW.getTime() + 0.25 })]);
    expect((await read(run)).lines).toEqual([
      { attempt: 1, writer: 0, line: 0, time: NOW.getTime(), stream: 'stdout', text: '', cut: 0 },
      { attempt: 1, writer: 0, line: 1, time: NOW.getTime(), stream: 'stderr', text, cut: 7 },
    ]);
  });

  test('lines in any order, repeated and overlapping, are each there once with their newest text', async () => {
    const run = await begin(db());
    await append(run, [aLine(2, 'c'), aLine(0, 'a'), aLine(2, '10%')]);
    await append(run, [aLine(0, 'a'), aLine(1, 'b')]);
    await append(run, [aLine(2, '20%')]);
    const all = await read(run);
    expect([texts(all), all.total]).toEqual([['a', 'b', '20%'], 3]);
    expect(texts(await read(run, { limit: 2 }))).toEqual(['b', '20%']);
  });

  test('what has changed since a revision is read alone', async () => {
    const run = await begin(db());
    await append(run, [aLine(0, 'a'), aLine(1, '10%')]);
    const { revision } = await read(run);
    expect(texts(await read(run, { after: revision }))).toEqual([]);
    await append(run, [aLine(1, '20%'), aLine(2, 'c')]);
    const changed = await read(run, { after: revision });
    expect([texts(changed), changed.total]).toEqual([['20%', 'c'], 3]);
    expect(texts(await read(run, { after: changed.revision }))).toEqual([]);
  });

  test('each client counts its lines: one that restarts in the same attempt comes after those before it', async () => {
    const run = await begin(db());
    await append(run, [aLine(0, 'a'), aLine(1, 'b')]);
    await append(run, [aLine(0, 'c')], { session: OTHER });
    await append(run, [aLine(2, 'late')]);
    await append(run, [aLine(0, 'd')], { session: null });
    await append(run, [aLine(1, 'e')], { session: null });
    expect(texts(await read(run))).toEqual(['a', 'b', 'late', 'c', 'd', 'e']);
  });

  test('attempts follow each other, whichever wrote last', async () => {
    const start = aRun();
    const { run } = start;
    await startRun(db(), start, later(0));
    await startRun(db(), { ...start, attempt: 2 }, later(1));
    await append(run, [aLine(0, 'second')], { attempt: 2, session: OTHER });
    await append(run, [aLine(0, 'first')]);
    expect(texts(await read(run))).toEqual(['first', 'second']);
  });

  test('the newest lines are kept, and not many more', async () => {
    const run = await begin(db());
    const messages = MAX_KEPT_CONSOLE_LINES / MAX_CONSOLE_LINES + 3;
    for (let at = 0; at < messages; at++) await append(run, numbered(at * MAX_CONSOLE_LINES, MAX_CONSOLE_LINES));
    const { total, lines } = await read(run);
    expect(lines).toHaveLength(total);
    expect(total).toBeGreaterThanOrEqual(MAX_KEPT_CONSOLE_LINES);
    expect(total).toBeLessThanOrEqual(MAX_KEPT_CONSOLE_LINES + MAX_CONSOLE_LINES);
    expect(lines.at(-1)?.line).toBe(messages * MAX_CONSOLE_LINES - 1);
    expect(lines[0]?.line).toBe(messages * MAX_CONSOLE_LINES - total);
  });

  test('the newest are kept by when they came, not by which client or attempt they are of', async () => {
    const run = await begin(db());
    await append(run, [aLine(0, 'started')]);
    await append(run, numbered(0, MAX_CONSOLE_LINES), { session: OTHER });
    await append(run, [aLine(1, 'Traceback')]);
    const messages = MAX_KEPT_CONSOLE_LINES / MAX_CONSOLE_LINES;
    for (let at = 1; at <= messages; at++) {
      await append(run, [aLine(1 + at, `Traceback ${at}`)]);
      await append(run, numbered(at * MAX_CONSOLE_LINES, MAX_CONSOLE_LINES), { session: OTHER });
    }
    const { lines } = await read(run);
    expect(lines[0]?.text).toMatch(/^Traceback/);
    expect(texts(await read(run))).toContain(`Traceback ${messages}`);
    expect(texts(await read(run))).not.toContain('started');
  });

  test('a client of which no line is left is forgotten; the others keep their numbers', async () => {
    const run = await begin(db());
    await append(run, [aLine(0, 'gone')]);
    const messages = MAX_KEPT_CONSOLE_LINES / MAX_CONSOLE_LINES + 2;
    for (let at = 0; at < messages; at++)
      await append(run, numbered(at * MAX_CONSOLE_LINES, MAX_CONSOLE_LINES), { session: OTHER });
    await append(run, [aLine(20_000, 'goes on')], { session: OTHER });
    await append(run, [aLine(1, 'again')]);
    const { lines } = await read(run, { limit: 2 });
    expect(lines.map(({ writer, line }) => [writer, line])).toEqual([
      [1, 20_000],
      [2, 1],
    ]);
    const [output] = await db().sql.select().from(consoleOutput).where(eq(consoleOutput.run, run));
    expect(output?.sessions).toEqual([null, OTHER, ONE]);
  });

  test('is read page by page from its end, across clients and attempts', async () => {
    const start = aRun();
    const { run } = start;
    await startRun(db(), start, later(0));
    await startRun(db(), { ...start, attempt: 2 }, later(1));
    await append(run, [aLine(0, 'a'), aLine(7, 'b')]);
    await append(run, [aLine(0, 'c'), aLine(1, 'd')], { session: OTHER });
    await append(run, [aLine(0, 'e')], { attempt: 2 });
    const pages: string[][] = [];
    let page = await read(run, { limit: 2 });
    pages.push(texts(page));
    while (page.hasMore) {
      page = await read(run, { limit: 2, before: page.lines[0] });
      pages.push(texts(page));
    }
    expect(pages).toEqual([['d', 'e'], ['b', 'c'], ['a']]);
    expect(texts(await read(run, { after: 1, before: { attempt: 2, writer: 0, line: 0 } }))).toEqual(['c', 'd']);
  });

  test('who reads on from revision to revision misses no line of many that are written at once', async () => {
    const run = await begin(db());
    const writing = Array.from({ length: 12 }, (_, at) => append(run, [aLine(at, `line ${at}`)]));
    const seen = new Map<number, string>();
    let after = 0;
    const readOn = async () => {
      const { revision, lines } = await read(run, { after });
      after = revision;
      for (const { line, text } of lines) seen.set(line, text);
    };
    for (const written of writing) {
      await readOn();
      await written;
    }
    await readOn();
    expect(seen.size).toBe(writing.length);
  });

  test('an unknown run or attempt is refused', async () => {
    const run = await begin(db());
    const refused = { name: 'RefusedError', field: 'attempt' };
    await expect(append(randomUUID(), [aLine(0, 'a')])).rejects.toMatchObject(refused);
    await expect(append(run, [aLine(0, 'a')], { attempt: 2 })).rejects.toMatchObject(refused);
  });

  test('is deleted with its run', async () => {
    const run = await begin(db());
    await append(run, [aLine(0, 'a')]);
    await finishRun(db(), { run, attempt: 1, status: 'failed', reason: null }, later(1));
    await deleteRun(db(), { run, name: 'even' });
    expect(await read(run)).toEqual({ revision: 0, total: 0, lines: [], hasMore: false });
    expect(await db().sql.select().from(consoleLine).where(eq(consoleLine.run, run))).toEqual([]);
  });
});
