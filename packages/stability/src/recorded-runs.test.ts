import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { Detector } from './detector.ts';
import { fitForecast } from './forecast/fit.ts';
import { MODEL } from './forecast/model.ts';
import type { RuleName } from './rules/settings.ts';
import type { Signals } from './signals.ts';

// In-sample: the constants were learnt from these very runs. What they are worth on others is cross-validated by
// `evenkeel bench forecast`; here only a change for the worse is caught.

const folder = new URL('../../../../shared/runs/', import.meta.url);

interface Run {
  verdict: 'diverged' | 'healthy';
  /** Null where the run did not diverge. */
  onset: number | null;
  kind: string;
  steps: Signals[];
}

const FIELDS = ['loss', 'tevMean', 'tevStd', 'gradVar', 'gradNorm', 'lr'] as const;

function readSteps(file: string): Signals[] {
  const lines = gunzipSync(readFileSync(new URL(file, folder)))
    .toString()
    .trim()
    .split('\n')
    .slice(1);
  return lines.map((line) => {
    const event = JSON.parse(line);
    return { step: event.step, ...Object.fromEntries(FIELDS.map((field) => [field, Number(event[field])])) };
  });
}

function load(): Run[] {
  const labels: Record<string, Omit<Run, 'steps'>> = JSON.parse(readFileSync(new URL('labels.json', folder), 'utf8'));
  return readdirSync(folder)
    .filter((file) => file.endsWith('.jsonl.gz'))
    .flatMap((file) => {
      const label = labels[file.replace('.jsonl.gz', '')];
      if (label?.verdict !== 'diverged' && label?.verdict !== 'healthy') return [];
      const onset = label.verdict === 'diverged' ? label.onset : null;
      return [{ ...label, onset, steps: readSteps(file) }];
    });
}

interface Alarm {
  rule: RuleName;
  severity?: 'warning' | 'critical';
  every: number;
}

/** As score.mjs scores: a run's first critical alert of the rule decides. */
function score(runs: readonly Run[], { rule, severity = 'critical', every }: Alarm) {
  const leads: number[] = []; // 0 where the divergence was missed
  const alarms: boolean[] = [];
  for (const { onset, steps } of runs) {
    const detector = new Detector();
    const verdicts = steps.filter(({ step }) => step % every === 0).flatMap((step) => detector.observe(step));
    const alarm = verdicts.find(
      (verdict) =>
        verdict.kind !== 'resolved' &&
        verdict.finding.rule === rule &&
        (severity === 'warning' || verdict.finding.severity === severity),
    );
    const step =
      alarm?.kind === 'opened' || alarm?.kind === 'escalated' ? alarm.finding.step : Number.POSITIVE_INFINITY;
    if (onset === null) alarms.push(Number.isFinite(step));
    else leads.push(Math.max(0, onset - step));
  }
  const caught = leads.filter((lead) => lead > 0).sort((a, b) => a - b);
  const median = ((caught[(caught.length - 1) >> 1] ?? 0) + (caught[caught.length >> 1] ?? 0)) / 2;
  return {
    recall: caught.length / leads.length,
    falseAlarms: alarms.filter(Boolean).length / Math.max(1, alarms.length),
    median,
  };
}

describe.skipIf(!existsSync(new URL('labels.json', folder)))('on the recorded runs', () => {
  let runs: Run[];
  beforeAll(() => {
    runs = load();
  });

  test('tev-growth sees divergence under a rising learning rate long before, at any interval, and seldom cries wolf', () => {
    const ramps = runs.filter(({ kind, onset }) => onset === null || kind.endsWith('ramp'));
    expect(ramps).toHaveLength(51 + 183);
    const bounds = [
      [1, 0.96, 55],
      [10, 0.88, 50],
      [50, 0.75, 40],
    ] as const;
    for (const [every, recall, median] of bounds) {
      const scored = score(ramps, { rule: 'tev-growth', every });
      expect(scored.recall).toBeGreaterThanOrEqual(recall);
      expect(scored.median).toBeGreaterThanOrEqual(median);
      expect(scored.falseAlarms).toBeLessThanOrEqual(0.02);
    }
  });

  test('tev-growth sees about half of those that come within tens of steps', () => {
    const fast = runs.filter(({ kind, onset }) => onset !== null && !kind.endsWith('ramp'));
    expect(fast).toHaveLength(17);
    const { recall, median } = score(fast, { rule: 'tev-growth', every: 1 });
    expect(recall).toBeGreaterThanOrEqual(0.45);
    expect(median).toBeGreaterThanOrEqual(10);
  });

  test('the forecast is what a fit to these runs gives', () => {
    const fitted = fitForecast(runs);
    for (const risk of ['growth', 'growthAndAgreement', 'surge'] as const)
      fitted[risk].forEach((weight, at) => {
        expect(weight).toBeCloseTo(MODEL[risk][at] as number, 1);
      });
  });

  test('loss-spike and grad-variance see some, late; non-finite none before its onset and no healthy run', () => {
    const spike = score(runs, { rule: 'loss-spike', severity: 'warning', every: 1 });
    expect(spike.recall).toBeGreaterThanOrEqual(0.25);
    expect(spike.falseAlarms).toBeLessThanOrEqual(0.1);
    expect(score(runs, { rule: 'loss-spike', every: 1 }).falseAlarms).toBeLessThanOrEqual(0.01);
    const variance = score(runs, { rule: 'grad-variance', every: 1 });
    expect(variance.falseAlarms).toBeLessThanOrEqual(0.02);
    expect(score(runs, { rule: 'grad-variance', severity: 'warning', every: 1 }).falseAlarms).toBeLessThanOrEqual(0.06);
    expect(score(runs, { rule: 'non-finite', every: 1 })).toMatchObject({ recall: 0, falseAlarms: 0 });
  });
});
