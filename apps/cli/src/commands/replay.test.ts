import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { replayCommand } from './replay.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-replay-'));
});
afterAll(() => rm(folder, { recursive: true }));

const lines = (...events: object[]) => events.map((event) => `${JSON.stringify(event)}\n`).join('');
const steps = (first: number, count: number, more: (step: number) => object) =>
  Array.from({ length: count }, (_, at) => ({ type: 'step', step: first + at, ...more(first + at) }));
/** TEV that leaves the way of healthy runs at step 200. */
const rising = (step: number) => ({
  loss: 2,
  tevMean: 0.02 * Math.min(step + 1, 200) ** 0.5 * 2 ** (Math.max(0, step - 200) / 40),
});

async function replay(...args: string[]): Promise<unknown[]> {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  try {
    await replayCommand().parseAsync(['--json', ...args], { from: 'user' });
    return log.mock.calls.map(([line]) => JSON.parse(line));
  } finally {
    log.mockRestore();
  }
}

test('prints what opens and what becomes worse, and no more', async () => {
  const file = join(folder, 'a.jsonl');
  await writeFile(file, lines({ type: 'run', id: 'A1', config: {} }, ...steps(0, 300, rising)));
  const alerts = await replay(file);
  expect(alerts).toMatchObject([
    { run: 'A1', rule: 'tev-growth', severity: 'warning' },
    { run: 'A1', rule: 'tev-growth', severity: 'critical' },
  ]);
  for (const alert of alerts)
    expect(Object.keys(alert as object)).toEqual([
      'run',
      'step',
      'rule',
      'severity',
      'risk',
      'divergenceStep',
      'message',
    ]);
});

test('names a run beside its id for people, and once where it has no name of its own', async () => {
  const named = join(folder, 'named.jsonl');
  const broken = { type: 'step', step: 0, loss: 'NaN' };
  await writeFile(
    named,
    lines({ type: 'run', id: 'N1', name: 'wide', config: {} }, broken, { type: 'run', id: 'N2', config: {} }, broken),
  );
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  const error = vi.spyOn(console, 'error').mockImplementation(() => {});
  try {
    await replayCommand().parseAsync([named], { from: 'user' });
    expect(log.mock.calls.map(([line]) => String(line).split('  ')[0])).toEqual(['wide (N1)', 'N2']);
  } finally {
    log.mockRestore();
    error.mockRestore();
  }
});

test('finds the same in a compressed file, by a pattern, and logged each tenth step', async () => {
  await writeFile(
    join(folder, 'b.jsonl.gz'),
    gzipSync(lines({ type: 'run', id: 'B1', config: {} }, ...steps(0, 300, rising))),
  );
  const every = await replay(join(folder, 'b*.gz'), '--every', '10');
  expect(every).toMatchObject([{ run: 'B1', rule: 'tev-growth', severity: 'critical' }]);
  for (const alert of every) expect((alert as { step: number }).step % 10).toBe(0);
});

test('judges the attempts of a run as one, and a step that is sent twice only once', async () => {
  const run = { type: 'run', id: 'C1', config: {} };
  const broken = (step: number) => ({ loss: step === 30 ? 'NaN' : 2 });
  const file = join(folder, 'c.jsonl');
  const calm = () => ({ loss: 2 });
  await writeFile(
    file,
    lines(run, ...steps(0, 50, broken), run, ...steps(25, 30, broken), { ...run, attempt: 2 }, ...steps(25, 200, calm)),
  );
  expect(await replay(file)).toMatchObject([{ step: 30, rule: 'non-finite', risk: null, divergenceStep: null }]);
});

test('takes settings of rules, and refuses what is none with its file and field', async () => {
  const [file, rules] = [join(folder, 'd.jsonl'), join(folder, 'rules.json')];
  await writeFile(file, lines({ type: 'run', id: 'D1', config: {} }, ...steps(0, 300, rising)));
  await writeFile(rules, JSON.stringify({ 'tev-growth': { enabled: false } }));
  expect(await replay(file, '--rules', rules)).toEqual([]);
  await writeFile(rules, JSON.stringify({ 'tev-growth': { criticalMargin: 700 } }));
  await expect(replay(file, '--rules', rules)).rejects.toMatchObject({
    exitCode: 2,
    message: expect.stringMatching(/rules\.json: tev-growth\.criticalMargin: /),
  });
});

test('a later attempt is judged by its own steps where the former had an open alert', async () => {
  const file = join(folder, 'c.jsonl');
  const attempt = (number: number) => ({ type: 'run', id: 'C1', config: {}, attempt: number });
  await writeFile(file, lines(attempt(1), ...steps(0, 240, rising), attempt(2), ...steps(230, 70, rising)));
  const alerts = (await replay(file)) as { step: number; severity: string }[];
  expect(alerts.map(({ severity }) => severity).filter((severity) => severity === 'critical')).toHaveLength(2);
  expect(alerts.at(-1)?.step).toBeGreaterThan(240);
});

test('rules that contradict each other are refused by file and field', async () => {
  const rules = join(folder, 'rules.json');
  await writeFile(rules, JSON.stringify({ 'loss-lost': { warning: 0.9 } }));
  await expect(replay(join(folder, 'a.jsonl'), '--rules', rules)).rejects.toMatchObject({
    exitCode: 2,
    message: `${rules}: loss-lost.critical: must not be below “Warning above”, which is 0.9`,
  });
});

test('an attempt that follows an end is judged from what is left of the timeline before it, as the live judge does', async () => {
  const file = join(folder, 'e.jsonl');
  const shaky = (jump: number) => (step: number) => ({
    loss: 2 + 3 * Math.exp(-step / 50) + 0.01 * Math.sin(step * 12.9898) + (step === jump ? 1 : 0),
  });
  const attempt = (number: number) => ({ type: 'run', id: 'E1', config: {}, attempt: number });
  const write = (...end: object[]) =>
    writeFile(
      file,
      lines(attempt(1), ...steps(0, 500, shaky(460)), ...end, attempt(2), ...steps(300, 400, shaky(340))),
    );
  const found = async () => ((await replay(file)) as { step: number }[]).map(({ step }) => step);
  await write({ type: 'finish', status: 'failed' });
  expect(await found()).toEqual([460, 340]);
  await write(); // watched all along: the last 128 losses lie ahead, and 40 are too few to judge a jump by
  expect(await found()).toEqual([460]);
});
