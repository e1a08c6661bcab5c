import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { report } from './report.ts';
import { pathsOf } from './run-folder.ts';
import { type PlannedRun, parseStudy, type Study } from './study-file.ts';

// Recordings by formula, so that what the report must say is known.

const STEPS = 100;
const WARMUP = 10;
const STUDY = `
project: made by formula
base: { steps: ${STEPS}, warmup: ${WARMUP}, lr: 1e-3 }
grid:
  - { attention: [mha, mlra], layers: [2, 4], seed: [1, 2, 3] }
  - { attention: [mha, mlra], layers: 4, seed: 1, lr: [1e-3, 1e-2, 1e-1] }
`;

let out: string;
let study: Study;
beforeAll(async () => {
  out = await mkdtemp(join(tmpdir(), 'evenkeel-report-'));
  study = parseStudy(STUDY);
  for (const run of study.runs) await record(run, lines(run));
});
afterAll(() => rm(out, { recursive: true }));

async function record(run: PlannedRun, events: readonly object[]): Promise<void> {
  const path = pathsOf(out, run).recording;
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, events.map((event) => `${JSON.stringify(event)}\n`).join(''));
}

/** MLRA's TEV is 0.9 of MHA's, its gradient variance half; at the highest rate MHA alone diverges. */
function lines(run: PlannedRun): object[] {
  const names = ['embedding', ...Array.from({ length: run.layers }, (_, at) => `block ${at + 1}`), 'head'];
  const diverges = run.attention === 'mha' && run.lr === 0.1;
  const steps = Array.from({ length: diverges ? 60 : STEPS }, (_, step) => stepOf(run, step, names));
  if (diverges) Object.assign(steps.at(-1) as object, { loss: 'NaN' });
  return [
    { type: 'run', id: run.folder, config: {}, layers: names },
    ...steps,
    { type: 'finish', ...(diverges ? { status: 'failed', reason: 'loss is not finite at step 59' } : FINISHED) },
  ];
}

const FINISHED = { status: 'finished', reason: null };

function stepOf({ attention, layers, seed, lr }: PlannedRun, step: number, names: readonly string[]) {
  const isMlra = attention === 'mlra';
  const growth = (1 + step / STEPS) * (1 + seed / 100);
  const gradVar = growth ** 2 * layers * (isMlra ? 0.5 : 1);
  return {
    ...{ type: 'step', step, loss: 5 - step / STEPS, lr },
    tevMean: 0.02 * growth * (isMlra ? 0.9 : 1),
    tevStd: 0.002,
    gradVar,
    layerGradVar: names.map((_, at) => gradVar / 2 ** (at + 1)),
    layerOutVar: names.map((_, at) => (isMlra ? 1.5 : 2) ** at),
    ...(step === STEPS - 1 ? { custom: { evalPerplexity: (isMlra ? 40 : 50) + seed } } : {}),
  };
}

describe('a report', () => {
  let page: string;
  beforeAll(async () => {
    await report(study, out);
    page = await readFile(join(out, 'results.md'), 'utf8');
  });

  /** The cells of the first row that begins so. */
  const row = (start: string) =>
    page
      .split('\n')
      .find((text) => text.startsWith(`| ${start}`))
      ?.split('|')
      .map((cell) => cell.trim())
      .slice(1, -1);

  test('has the means over seeds at the common rate, with their spread', () => {
    // the last step's growth is 1.99, its seeds' factors 1.01, 1.02, 1.03
    expect(row('mha | 2 |')).toEqual([
      ...['mha', '2', '0 of 3'],
      `${(0.02 * 1.99 * 1.02).toFixed(4)} ± ${(0.02 * 1.99 * 0.01).toFixed(4)}`,
      '0.00200 ± 0.00000',
      expect.stringMatching(/^7\.\d\d ± /),
      expect.stringMatching(/^4\.\d\d ± /),
      '52.0 ± 1.0',
    ]);
  });

  test('compares by pairs of a seed', () => {
    expect(page).toContain(
      'Final tevMean is lower at 2 of 2 depths (2 layers: −10.0 % ± 0.0 %, lower at 3 of 3 seeds; 4 layers: −10.0 % ± 0.0 %, lower at 3 of 3 seeds).',
    );
    expect(page).toContain('Of 8 pairs of runs at all learning rates, 0 diverged with mlra and 1 with mha.');
    expect(page).toContain('**MLRA limits the variance of what the layers put out: holds (4 of 4).**');
    expect(page).toContain('**Shallow layers have the larger gradient variance: holds (4 of 4).**');
    expect(page).toContain(
      'mha: the first block’s is larger than the last one’s at 2 of 2 depths (2 layers: 2.00 times',
    );
  });

  test('has the correlation within runs: both grow together here', () => {
    expect(row('mha | 4 | 1.00')).toEqual(['mha', '4', ...Array(4).fill('1.00 ± 0.00')]);
    expect(page).toContain('After warm-up the rank correlation is above 0.5 in 16 of 16 runs');
  });

  test('says what diverged in the sweep', () => {
    expect(row('mha | 1e-1')).toEqual(['mha', '1e-1', '1 of 1', 'diverged', expect.any(String)]);
    expect(row('mlra | 1e-1')).toEqual(['mlra', '1e-1', '0 of 1', '41.0', expect.any(String)]);
    expect(row('mha, 4 layers, lr 1e-1')).toContain('59');
  });

  test('draws every plot it shows', async () => {
    const plots = [...page.matchAll(/\]\((\S+\.svg)\)/g)].map(([, file]) => file as string);
    expect(plots).toHaveLength(7);
    for (const plot of plots) {
      const svg = await readFile(join(out, plot), 'utf8');
      expect(svg).toMatch(/^<svg /);
      expect(svg).toContain('mlra');
      expect(svg).not.toMatch(/NaN|undefined|Infinity/);
    }
  });

  test('is there as data too, with null for what is not known', async () => {
    const results = JSON.parse(await readFile(join(out, 'results.json'), 'utf8'));
    expect(results.runs).toHaveLength(16);
    expect(results.runs.find((run: { divergedAt: number }) => run.divergedAt === 59)).toMatchObject({
      ...{ attention: 'mha', lr: 0.1, evalPerplexity: null },
      steps: 60,
    });
    expect(results.cells).toHaveLength(4);
    expect(results.sweep).toHaveLength(6);
  });
});

test('a run that has not finished is listed, and is in no table', async () => {
  const [run, stopped] = study.runs as [PlannedRun, PlannedRun];
  await record(run, lines(run).slice(0, 50));
  await record(stopped, [
    ...lines(stopped).slice(0, 50),
    { type: 'finish', status: 'stopped', reason: 'stopped from the dashboard' },
  ]);
  await report(study, out);
  const page = await readFile(join(out, 'results.md'), 'utf8');
  expect(page).toContain(`- ${run.name}: it was cut off`);
  expect(page).toContain(`- ${stopped.name}: stopped from the dashboard`);
  expect(page).toContain('14 runs, 1 of them diverged;');
});

test('a report of nothing writes nothing', async () => {
  expect(await report(study, join(out, 'nowhere'))).toEqual([]);
});
