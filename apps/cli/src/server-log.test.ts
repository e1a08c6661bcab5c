import { listRuns } from '@evenkeel/db';
import { openTestDatabase } from '@evenkeel/db/testing-template';
import { expect, test } from 'vitest';
import { ServerLog } from './server-log.ts';

function openLog(windowMs = 3_600_000) {
  const lines: string[] = [];
  const log = new ServerLog({ print: (line) => lines.push(line), now: () => new Date(0), windowMs });
  return { log, lines, write: log.write };
}

test('a run named with escape sequences and line ends is one line that moves no cursor', () => {
  const { lines, write } = openLog();
  write('info', 'run \x1b[2J\x1b[1;1Ha\r\nforged\u2028line \u202egnp.exe\x9b31m begins');
  write('error', 'run b failed', new Error('about \x1b]0;title\x07\nat forged (file.js:1:1)'));
  expect(lines[0]).toBe(
    '1970-01-01T00:00:00.000Z info run \\x1b[2J\\x1b[1;1Ha\\r\\nforged\\u2028line \\u202egnp.exe\\x9b31m begins',
  );
  expect(lines[1]).toMatch(
    /^1970-\S+ error run b failed: about \\x1b\]0;title\\x07\\nat forged \(file\.js:1:1\) \(at \//,
  );
  expect(lines.join('')).not.toMatch(/\p{Cc}/u);
});

test('a failing query of 8 MB parameters logs one short line with the cause, its SQLSTATE and the statement', async () => {
  await using db = await openTestDatabase();
  await db.sql.execute('alter table run rename to gone');
  const failed = await listRuns(db, { search: 'secret'.repeat(1_400_000), limit: 10 }).catch((error: Error) => error);
  expect((failed as Error).message.length).toBeGreaterThan(8_000_000);
  const { lines, write } = openLog();
  write('error', 'tRPC run.list failed', Object.assign(new Error((failed as Error).message), { cause: failed }));
  write('error', `Next.js: ${(failed as Error).message}`);
  write('error', 'a message alone', (failed as Error).message);
  expect(lines).toHaveLength(3);
  expect(lines[0]).toMatch(
    /^\S+ error tRPC run\.list failed: relation "run" does not exist \(SQLSTATE 42P01, in: select "run"\."id".*…\)$/,
  );
  for (const line of lines) {
    expect(line.length).toBeLessThanOrEqual(1_100);
    expect(line).not.toMatch(/secret|params/);
  }
});

test('a value that PostgreSQL quotes in its refusal, or adds as a detail, is not logged', async () => {
  await using db = await openTestDatabase();
  const { lines, write } = openLog();
  const secret = "reverse('terces')"; // the statement itself is logged
  const queries = [
    `select ${secret}::uuid`,
    `select ('{"' || ${secret})::json`,
    'create table one (id text primary key)',
    `insert into one values (${secret})`,
    `insert into one values (${secret})`,
  ];
  for (const query of queries) await db.sql.execute(query).catch((error) => write('error', 'a query failed', error));
  expect(lines).toHaveLength(3);
  expect(lines[0]).toContain('invalid input syntax for type uuid: "…" (SQLSTATE 22P02,');
  expect(lines.at(-1)).toContain('duplicate key value violates unique constraint "one_pkey" (SQLSTATE 23505,');
  expect(lines.join()).not.toContain('secret');
});

test('1,000 failures that are the same but for ids and numbers are one line, and one with their count', () => {
  const { log, lines, write } = openLog();
  for (let at = 0; at < 1_000; at++)
    write('error', `judging run 018f0000-0000-7000-8000-${String(at).padStart(12, '0')} failed`, refusal());
  expect(lines).toHaveLength(1);
  log.flush();
  expect(lines).toHaveLength(2);
  expect(lines[1]).toMatch(/^\S+ error judging run 018f\S+ failed: .* \(999 more in the last \d+ s\)$/);
  log.flush();
  expect(lines).toHaveLength(2);
  write('error', 'judging run 018f0000-0000-7000-8000-000000000000 failed', refusal());
  expect(lines).toHaveLength(3);
});

const refusal = () => Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:5432'), { code: 'ECONNREFUSED' });

test('repeats are counted out by time, too', async () => {
  const { lines, write } = openLog(5);
  write('error', 'again');
  write('error', 'again');
  await expect.poll(() => lines.at(-1)).toContain('again (1 more in the last');
});

test('100,000 distinct failures are remembered, and printed, no more than 200 at a time', () => {
  const { log, lines, write } = openLog();
  const letters = (at: number) => String(at).replace(/\d/g, (digit) => 'abcdefghij'.charAt(Number(digit)));
  for (let at = 0; at < 100_000; at++) write('error', `GET /${letters(at)} failed`);
  expect(lines).toHaveLength(200);
  log.flush();
  expect(lines.at(-1)).toMatch(/error 99800 other lines in the last \d+ s are left out$/);
});

test('an error of the program is logged with its place, and a thrown thing that is no text is logged all the same', () => {
  const { lines, write } = openLog();
  write('error', 'a page failed', new TypeError('x is not a function'));
  write('error', 'a thing was thrown', Object.create(null));
  const cyclic = new Error('cyclic');
  cyclic.cause = cyclic;
  write('error', 'a cycle', cyclic);
  expect(lines[0]).toMatch(/a page failed: TypeError: x is not a function \(at .*server-log\.test\.ts:\d+:\d+\)?\)$/);
  expect(lines[1]).toMatch(/a thing was thrown: a thrown object$/);
  expect(lines[2]).toContain('a cycle: cyclic (at ');
});
