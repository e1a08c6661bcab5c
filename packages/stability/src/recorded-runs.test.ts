import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Detector } from './detector.ts';
import type { Finding, Signals } from './finding.ts';

const folder = new URL('../../../../shared/runs/', import.meta.url);

interface Label {
  verdict: 'diverged' | 'healthy' | 'doubtful' | 'early';
  /** Null where the run did not diverge. */
  onset: number | null;
}

const FIELDS = ['loss', 'tevMean', 'gradVar', 'gradNorm'] as const;

function readRun(file: string): Signals[] {
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

interface Alarm {
  rule: Finding['rule'];
  every: number;
}

/** As a detector is scored: a run's first alarm of the rule decides. */
function score(runs: Map<string, Signals[]>, labels: Record<string, Label>, { rule, every }: Alarm) {
  const leads: number[] = []; // 0 where the divergence was missed
  const alarms: boolean[] = [];
  for (const [id, steps] of runs) {
    const { verdict, onset } = labels[id] ?? {};
    const detector = new Detector();
    const findings = steps.filter(({ step }) => step % every === 0).flatMap((step) => detector.observe(step));
    const alarm = findings.find((finding) => finding.rule === rule)?.step ?? Number.POSITIVE_INFINITY;
    if (verdict === 'diverged' && onset != null) leads.push(Math.max(0, onset - alarm));
    if (verdict === 'healthy') alarms.push(Number.isFinite(alarm));
  }
  const caught = leads.filter((lead) => lead > 0).sort((a, b) => a - b);
  const median = ((caught[(caught.length - 1) >> 1] ?? 0) + (caught[caught.length >> 1] ?? 0)) / 2;
  return {
    diverged: leads.length,
    healthy: alarms.length,
    recall: caught.length / leads.length,
    falseAlarms: alarms.filter(Boolean).length / alarms.length,
    median,
  };
}

describe.skipIf(!existsSync(new URL('labels.json', folder)))('on the recorded runs', () => {
  const load = () => {
    const labels: Record<string, Label> = JSON.parse(readFileSync(new URL('labels.json', folder), 'utf8'));
    const files = readdirSync(folder).filter((file) => file.endsWith('.jsonl.gz'));
    return { labels, runs: new Map(files.map((file) => [file.replace('.jsonl.gz', ''), readRun(file)])) };
  };

  test('tev-growth sees most divergences long before, and seldom alarms on a healthy run', () => {
    const { labels, runs } = load();
    for (const every of [1, 10]) {
      const { diverged, healthy, recall, falseAlarms, median } = score(runs, labels, { rule: 'tev-growth', every });
      expect([diverged, healthy]).toEqual([68, 183]);
      expect(recall).toBeGreaterThanOrEqual(0.7);
      expect(falseAlarms).toBeLessThanOrEqual(0.05);
      expect(median).toBeGreaterThanOrEqual(50);
    }
    const sparse = score(runs, labels, { rule: 'tev-growth', every: 50 });
    expect(sparse.recall).toBeGreaterThanOrEqual(0.5);
    expect(sparse.falseAlarms).toBeLessThanOrEqual(0.05);
  });

  test('loss-spike sees some divergences, late; non-finite none before its onset and no healthy run', () => {
    const { labels, runs } = load();
    const spike = score(runs, labels, { rule: 'loss-spike', every: 1 });
    expect(spike.recall).toBeGreaterThanOrEqual(0.3);
    expect(spike.falseAlarms).toBeLessThanOrEqual(0.1);
    expect(score(runs, labels, { rule: 'non-finite', every: 1 })).toMatchObject({ recall: 0, falseAlarms: 0 });
  });
});
