import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@evenkeel/testing';
import { expect, inject, test } from 'vitest';
import { lossesOf, readStore, SAMPLES, seriesOf } from '../testing.ts';
import { trackio } from './format.ts';

const SAMPLE = join(SAMPLES, 'trackio/proj.db');
const LOSS = [
  ...[0, 1, 2].map((step) => [step, 1 / (step + 1)]),
  [3, Number.NaN],
  [4, Number.POSITIVE_INFINITY],
  [5, Number.NEGATIVE_INFINITY],
  [50, 9],
  [10, 8],
  [51, 7],
];

test('a project of trackio 0.43', async () => {
  expect(await trackio.matches(SAMPLE)).toBe(true);
  const [only, ...others] = await readStore(trackio, SAMPLE);
  expect(others).toEqual([]);
  expect(only?.run).toEqual({
    ...{ id: '43a74540a1854902891ea5eb5ee289fb', project: 'proj', name: 'r1' },
    ...{ startedAt: Date.parse('2026-11-29T16:56:14.383729Z'), config: { lr: 0.1, n: Number.NaN, d: { a: 1 } } },
  });
  expect(seriesOf(only?.found ?? [])).toEqual({ loss: LOSS, 't.acc': [0, 1, 2].map((step) => [step, step]) });
});

/** Adds a row in SQLite's write-ahead log, and keeps the database open until its input ends. */
const WRITER = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute("PRAGMA wal_autocheckpoint = 0")
run, = db.execute("SELECT DISTINCT run_id FROM metrics").fetchone()
add = "INSERT INTO metrics (run_id, timestamp, run_name, step, metrics) VALUES (?, '2026-11-29T17:00:00+00:00', 'r1', ?, ?)"
db.execute(add, (run, 52, b'{"loss":6,"text":"a","big":9007199254740993}'))
db.execute(add, (run, 52.5, b'{"loss":5}'))
db.execute("INSERT INTO alerts (run_id, timestamp, run_name, title) VALUES (?, '', 'r1', 'spike')", (run,))
db.commit()
print("written", flush=True)
sys.stdin.read()
`;

test.skipIf(!inject('python'))(
  'a database that another program is writing is read as it is, and left alone',
  async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, 'live.db');
    copyFileSync(SAMPLE, path);
    const writer = spawn(inject('python') ?? '', ['-c', WRITER, path]);
    try {
      await once(writer.stdout, 'data');
      const before = readdirSync(folder.path).sort();
      expect(before).toContain('live.db-wal');
      const [only] = await readStore(trackio, path);
      expect(seriesOf(only?.found ?? []).loss).toEqual([...LOSS, [52, 6]]);
      expect(seriesOf(only?.found ?? []).big).toEqual([[52, 2 ** 53]]);
      expect(lossesOf(only?.found ?? [])).toEqual({
        'values: no numbers: text, lists, media': 1,
        'rows: their step is no whole number': 1,
        'alerts: they have no place in a run': 1,
      });
      expect(readdirSync(folder.path).sort()).toEqual(before);
    } finally {
      writer.stdin.end();
      await once(writer, 'exit');
    }
  },
);
