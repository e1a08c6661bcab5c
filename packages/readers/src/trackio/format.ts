import { basename } from 'node:path';
import { numberOf } from '@evenkeel/protocol';
import { z } from 'zod';
import type { Found, StoredRun, StoreFormat } from '../format.ts';
import { Losses } from '../losses.ts';
import { nonFinite, parsePythonJson } from '../python-json.ts';
import { setValues } from '../set-value.ts';
import type { SqlSource } from '../sql-source.ts';
import { hasTables, SqliteCopy } from '../sqlite-copy.ts';

/** Texts lie there as UTF-8 in BLOBs. */
const text = z.union([z.string(), z.instanceof(Uint8Array).transform((bytes) => Buffer.from(bytes).toString())]);

const runRow = z.object({
  run_id: z.string(),
  run_name: z.string(),
  first: z.string().nullable(),
  config: text.nullable(),
});
const metricsRow = z.object({
  step: z.union([z.number(), z.bigint()]).transform(Number),
  timestamp: z.string(),
  metrics: text,
});
const countRow = z.object({ count: z.number() });

/** trackio's databases: a project is a file. */
export const trackio: StoreFormat = {
  name: 'trackio',
  matches: (path) => hasTables(path, ['metrics', 'configs', 'system_metrics']),
  async *runs(path) {
    await using source = await SqliteCopy.open(path);
    yield* readRuns(source, basename(path, '.db'));
  },
};

async function* readRuns(source: SqlSource, project: string): AsyncGenerator<StoredRun> {
  const runs = source.rows(`
    SELECT ids.run_id, ids.run_name, min(metrics.timestamp) AS first, configs.config
    FROM (SELECT run_id, run_name FROM configs UNION SELECT run_id, run_name FROM metrics) AS ids
    LEFT JOIN configs ON configs.run_id = ids.run_id LEFT JOIN metrics ON metrics.run_id = ids.run_id
    GROUP BY ids.run_id ORDER BY first, ids.run_id`);
  for await (const row of runs) {
    const { run_id: id, run_name: name, first, config } = runRow.parse(row);
    yield {
      id,
      project,
      name,
      ...(first !== null && { startedAt: Date.parse(first) }),
      config: config === null ? {} : configOf(config),
      read: () => readRun(source, id),
    };
  }
}

/** Keys with an underscore are trackio's own. */
function configOf(json: string): Record<string, unknown> {
  const config = Object(parsePythonJson(json)) as Record<string, unknown>;
  const own = Object.entries(config).filter(([key]) => !key.startsWith('_'));
  return Object.fromEntries(own.map(([key, value]) => [key, nonFinite(value) ?? value]));
}

async function* readRun(source: SqlSource, run: string): AsyncGenerator<Found> {
  const losses = new Losses();
  const rows = source.rows('SELECT step, timestamp, metrics FROM metrics WHERE run_id = $1 ORDER BY id', run);
  for await (const row of rows) {
    const { step, timestamp, metrics } = metricsRow.parse(row);
    const values = numbersIn(parsePythonJson(metrics), losses);
    if (!Number.isSafeInteger(step)) losses.add('rows', 'their step is no whole number');
    else yield { kind: 'row', step, time: Date.parse(timestamp), values };
  }
  for (const table of ['alerts', 'system_metrics']) {
    for await (const row of source.rows(`SELECT count(*) AS count FROM ${table} WHERE run_id = $1`, run)) {
      const { count } = countRow.parse(row);
      if (count > 0) losses.add(table.replace('_', ' '), 'they have no place in a run', count);
    }
  }
  yield* losses.take();
}

/** The numbers of a row; keys of nested dictionaries are joined by dots. */
function numbersIn(value: unknown, losses: Losses, path: readonly string[] = []): Record<string, number> {
  const exact = numberOf(value); // of an integer beyond 2^53
  const number = typeof value === 'number' ? value : exact === null ? nonFinite(value) : Number(exact);
  if (number !== null) return { [path.join('.')]: number };
  if (value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value) || '_type' in value) {
    losses.add('values', 'no numbers: text, lists, media');
    return {};
  }
  const values: Record<string, number> = {};
  for (const [key, part] of Object.entries(value)) setValues(values, numbersIn(part, losses, [...path, key]));
  return values;
}
