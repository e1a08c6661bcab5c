import { readdirSync, readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { Detector } from './detector.ts';
import { divergedAt } from './divergence.ts';
import { fitForecast } from './forecast/fit.ts';
import { type Forecast, Forecaster } from './forecast/forecaster.ts';
import { type ForecastModel, type Lead, type Level, levelAt, MODEL } from './forecast/model.ts';
import { gradVariance } from './rules/grad-variance.ts';
import { lossLost } from './rules/loss-lost.ts';
import { lossSpike } from './rules/loss-spike.ts';
import { nonFinite } from './rules/non-finite.ts';
import type { Rule } from './rules/rule.ts';
import { RULES } from './rules/rules.ts';
import { tevGrowthBy } from './rules/tev-growth.ts';
import type { Signals } from './signals.ts';

// On the runs that come with the repository, none of which taught the constants. What the forecast is worth on more is
// measured by `evenkeel bench forecast`; here a change of any number of it is caught. A test that finds no runs fails.

const folder = new URL('../../../apps/cli/recordings/', import.meta.url);

const FIELDS = ['loss', 'tevMean', 'tevStd', 'gradVar', 'gradNorm', 'lr'] as const;

interface Run {
  name: string;
  steps: Signals[];
  onset: number | null;
}

function readRun(file: string): Run {
  const lines = gunzipSync(readFileSync(new URL(file, folder)))
    .toString()
    .trim()
    .split('\n');
  const events = lines.map((line) => JSON.parse(line)).filter(({ type }) => type === 'step');
  const steps = events.map((event): Signals => {
    const known = FIELDS.filter((field) => event[field] != null);
    return { step: event.step, ...Object.fromEntries(known.map((field) => [field, Number(event[field])])) };
  });
  return { name: file.replace('.jsonl.gz', ''), steps, onset: divergedAt(steps) };
}

const RUNS = readdirSync(folder)
  .filter((file) => file.endsWith('.jsonl.gz'))
  .sort()
  .map(readRun);

/** What rules raise in a run that is logged every n-th step, in short: `loss-spike critical 91, diverges 58`. */
function alertsOf(rules: readonly Rule[], steps: readonly Signals[], every = 1): string[] {
  const detector = new Detector({}, { rules });
  const verdicts = steps.filter(({ step }) => step % every === 0).flatMap((signals) => detector.observe(signals));
  return verdicts.flatMap((verdict) => {
    if (verdict.kind === 'resolved') return [];
    const { rule, severity, step, divergenceStep } = verdict.finding;
    return [`${rule} ${severity} ${step}${divergenceStep === null ? '' : `, diverges ${divergenceStep}`}`];
  });
}

/** TEV alone, without its spread over tokens. */
function tevOf(steps: readonly Signals[]): Signals[] {
  return steps.map(({ step, tevMean }) => ({ step, tevMean }));
}

/** The mean risk and the mean margin over the steps of a run: every number of the forecast moves them. */
function meanForecast(steps: readonly Signals[]): [risk: number, margin: number] {
  const forecaster = new Forecaster();
  const forecasts = steps.flatMap((signals) => forecaster.observe(signals) ?? []);
  const mean = (value: (forecast: Forecast) => number) =>
    Number((forecasts.reduce((sum, forecast) => sum + value(forecast), 0) / forecasts.length).toPrecision(6));
  return [mean(({ risk }) => risk), mean(({ margin }) => margin)];
}

/** The alerts that a forecast raises in all runs, given TEV alone and given all. */
function forecastAlerts(model?: ForecastModel): string[] {
  const rules = [tevGrowthBy(model)];
  return RUNS.flatMap(({ name, steps }) =>
    [...alertsOf(rules, tevOf(steps)), ...alertsOf(rules, steps)].map((alert) => `${name} ${alert}`),
  );
}

interface Known {
  onset: number | null;
  alerts: string[];
  forecast: [risk: number, margin: number];
  /** The same of the forecast alone, given TEV alone. */
  fromTev: string[];
  forecastFromTev: [risk: number, margin: number];
}

/** What each run has given since the forecast was fitted. */
const KNOWN: Record<string, Known> = {
  '01': {
    onset: 249,
    alerts: [
      'tev-growth warning 170, diverges 222',
      'tev-growth critical 175, diverges 209',
      'loss-spike critical 289, diverges 249',
      'grad-variance warning 322',
      'grad-variance critical 323',
      'non-finite critical 326',
    ],
    forecast: [0.355747, -5.75945],
    fromTev: ['tev-growth warning 163, diverges 240', 'tev-growth critical 191, diverges 256'],
    forecastFromTev: [0.370239, -1.63892],
  },
  '05': {
    onset: 58,
    alerts: [
      'tev-growth critical 61, diverges 74',
      'grad-variance warning 62',
      'grad-variance critical 63',
      'loss-spike critical 98, diverges 58',
      'non-finite critical 134',
    ],
    forecast: [0.655463, -1.3129],
    fromTev: ['tev-growth critical 22, diverges 35'],
    forecastFromTev: [0.668025, 48.5451],
  },
  '09': {
    onset: 122,
    alerts: [
      'tev-growth warning 20, diverges 33',
      'loss-spike warning 120',
      'loss-spike critical 162, diverges 122',
      'tev-growth warning 172, diverges 226',
      'tev-growth critical 188, diverges 201',
    ],
    forecast: [0.482696, -1.2293],
    fromTev: ['tev-growth warning 167, diverges 241', 'tev-growth critical 169, diverges 230'],
    forecastFromTev: [0.640379, 7.73136],
  },
  '13': {
    onset: 44,
    alerts: [
      'tev-growth critical 15, diverges 28',
      'grad-variance warning 46',
      'grad-variance critical 47',
      'non-finite critical 57',
    ],
    forecast: [0.491403, -1.90454],
    fromTev: ['tev-growth warning 15, diverges 28', 'tev-growth critical 46, diverges 59'],
    forecastFromTev: [0.395824, 4.94574],
  },
  '17': {
    onset: null,
    alerts: [],
    forecast: [0.0487287, -3.81702],
    fromTev: [],
    forecastFromTev: [0.0276913, -4.2184],
  },
  '21': {
    onset: 214,
    alerts: [
      'tev-growth critical 202, diverges 239',
      'loss-spike warning 203',
      'grad-variance warning 219',
      'grad-variance critical 220',
      'loss-spike critical 254, diverges 214',
      'non-finite critical 283',
    ],
    forecast: [0.377414, -2.47179],
    fromTev: ['tev-growth warning 206, diverges 283', 'tev-growth critical 214, diverges 281'],
    forecastFromTev: [0.327897, 45.1558],
  },
  '25': {
    onset: 210,
    alerts: [
      'tev-growth warning 130, diverges 143',
      'tev-growth critical 131, diverges 144',
      'loss-spike warning 144',
      'grad-variance warning 223',
      'grad-variance critical 224',
      'non-finite critical 232',
    ],
    forecast: [0.172882, -7.75263],
    fromTev: ['tev-growth warning 64, diverges 77', 'tev-growth critical 131, diverges 144'],
    forecastFromTev: [0.179318, -4.99852],
  },
  '29': {
    onset: null,
    alerts: [],
    forecast: [0.0750213, -3.22324],
    fromTev: [],
    forecastFromTev: [0.0383877, -3.80261],
  },
  '33': {
    onset: null,
    alerts: [],
    forecast: [0.127382, -3.1028],
    fromTev: [],
    forecastFromTev: [0.057394, -3.39111],
  },
  '37': {
    onset: null,
    alerts: [],
    forecast: [0.168214, -3.86965],
    fromTev: [],
    forecastFromTev: [0.0723362, -3.22194],
  },
  '41': {
    onset: null,
    alerts: [],
    forecast: [0.21758, -3.69646],
    fromTev: [],
    forecastFromTev: [0.116972, -2.77739],
  },
  '45': {
    onset: 279,
    alerts: [
      'tev-growth warning 180, diverges 227',
      'tev-growth critical 183, diverges 217',
      'loss-spike critical 319, diverges 279',
    ],
    forecast: [0.314853, -5.21925],
    fromTev: ['tev-growth warning 175, diverges 250', 'tev-growth critical 179, diverges 243'],
    forecastFromTev: [0.380929, -2.60758],
  },
  '49': {
    onset: null,
    alerts: ['tev-growth warning 338, diverges 392'],
    forecast: [0.175478, -3.25685],
    fromTev: [],
    forecastFromTev: [0.0868918, -3.16271],
  },
  '53': {
    onset: null,
    alerts: [],
    forecast: [0.0435677, -9.22488],
    fromTev: [],
    forecastFromTev: [0.0753091, -3.38939],
  },
  '57': {
    onset: null,
    alerts: ['tev-growth warning 91, diverges 137', 'tev-growth critical 99, diverges 134'],
    forecast: [0.177137, -3.81414],
    fromTev: [],
    forecastFromTev: [0.106887, -2.96391],
  },
  '61': {
    onset: 126,
    alerts: ['tev-growth warning 119, diverges 173', 'loss-spike critical 166, diverges 126'],
    forecast: [0.179358, -3.68251],
    fromTev: ['tev-growth warning 15, diverges 28'],
    forecastFromTev: [0.092754, -3.213],
  },
  '65': {
    onset: 374,
    alerts: [
      'tev-growth warning 203, diverges 255',
      'tev-growth critical 229, diverges 258',
      'loss-spike critical 414, diverges 374',
      'grad-variance warning 434',
      'grad-variance critical 436',
    ],
    forecast: [0.254472, -7.16247],
    fromTev: ['tev-growth warning 252, diverges 327', 'tev-growth critical 254, diverges 317'],
    forecastFromTev: [0.291247, -4.74473],
  },
  '69': {
    onset: 364,
    alerts: [
      'tev-growth warning 204, diverges 254',
      'tev-growth critical 218, diverges 251',
      'loss-spike warning 360',
      'loss-spike critical 404, diverges 364',
    ],
    forecast: [0.257701, -5.49119],
    fromTev: ['tev-growth warning 249, diverges 327', 'tev-growth critical 253, diverges 317'],
    forecastFromTev: [0.304699, -3.31405],
  },
};

test('there are runs to judge, some that diverged and some that stayed healthy', () => {
  expect(RUNS.map(({ name }) => name)).toEqual(Object.keys(KNOWN).sort());
  expect(RUNS.filter(({ onset }) => onset !== null).length).toBeGreaterThanOrEqual(5);
  expect(RUNS.filter(({ onset }) => onset === null).length).toBeGreaterThanOrEqual(5);
});

test.each(RUNS)('run $name has the alerts and the forecasts that it always had', ({ name, steps, onset }) => {
  expect({
    onset,
    alerts: alertsOf(RULES, steps),
    forecast: meanForecast(steps),
    fromTev: alertsOf([RULES[0]], tevOf(steps)),
    forecastFromTev: meanForecast(tevOf(steps)),
  }).toEqual(KNOWN[name]);
});

describe('a surge weight that is changed by 30 % changes an alert', () => {
  const weights = MODEL.surge.flatMap((_, at) => [0.7, 1.3].map((factor) => [at, factor] as const));
  test.each(weights)('surge[%d] × %d', (at, factor) => {
    const surge = MODEL.surge.map((weight, place) => (place === at ? factor * weight : weight));
    expect(forecastAlerts({ ...MODEL, surge })).not.toEqual(forecastAlerts());
  });
});

/** How a run's first critical alert of a rule compares with its onset, over all runs. */
function score(rule: Rule, every: number, given: (steps: readonly Signals[]) => readonly Signals[] = (steps) => steps) {
  const alarms = RUNS.map(({ steps, onset }) => {
    const critical = alertsOf([rule], given(steps), every).find((alert) => alert.includes(' critical '));
    return { onset, step: Number(critical?.match(/critical (\d+)/)?.[1] ?? Number.POSITIVE_INFINITY) };
  });
  const diverged = alarms.filter(({ onset }) => onset !== null);
  return {
    found: diverged.filter(({ onset, step }) => step < (onset ?? 0)).length,
    of: diverged.length,
    falseAlarms: alarms.filter(({ onset, step }) => onset === null && Number.isFinite(step)).length,
  };
}

test('tev-growth finds these divergences before their onset, at any interval, and seldom raises a false alarm', () => {
  expect(score(tevGrowthBy(), 1)).toEqual({ found: 7, of: 10, falseAlarms: 1 });
  expect(score(tevGrowthBy(), 10)).toEqual({ found: 5, of: 10, falseAlarms: 0 });
  expect(score(tevGrowthBy(), 50)).toEqual({ found: 4, of: 10, falseAlarms: 0 });
});

test('these other rules see none of them before its onset, and raise no false alarm', () => {
  expect(score(gradVariance, 1)).toEqual({ found: 0, of: 10, falseAlarms: 0 });
  expect(score(lossSpike, 1)).toEqual({ found: 0, of: 10, falseAlarms: 0 });
  expect(score(nonFinite, 1)).toEqual({ found: 0, of: 10, falseAlarms: 0 });
});

test('loss-lost finds these divergences without TEV: by loss and learning rate before, by loss and gradient norm at it', () => {
  const withRate = (steps: readonly Signals[]) => steps.map(({ step, loss, lr }) => ({ step, loss, lr }));
  const withNorm = (steps: readonly Signals[]) => steps.map(({ step, loss, gradNorm }) => ({ step, loss, gradNorm }));
  expect(score(lossLost, 1, withRate)).toEqual({ found: 9, of: 10, falseAlarms: 0 });
  expect(score(lossLost, 1, withNorm)).toEqual({ found: 4, of: 10, falseAlarms: 1 });
  expect(score(lossLost, 1)).toEqual({ found: 0, of: 10, falseAlarms: 0 }); // they send TEV
  expect(score(lossLost, 10, withRate)).toEqual({ found: 7, of: 10, falseAlarms: 0 });
});

test('a fit to these runs gives what it always gave', () => {
  const { surge, levels, levelsOfTev, surgeLead } = fitForecast(RUNS);
  expect(surge.map((weight) => Number(weight.toFixed(3)))).toEqual([8.149, 2.212]);
  const shares = (some: readonly Level[]) => some.map(({ risk }) => Number(risk.toFixed(3)));
  const leads = (some: readonly Lead[]) => some.map(({ low, middle, high }) => [low, middle, high]);
  expect(shares(levels)).toEqual([0.269, 0.327, 0.391, 0.475, 0.517, 0.593, 0.676, 0.737, 0.908]);
  expect(shares(levelsOfTev)).toEqual([0.174, 0.295, 0.371, 0.371, 0.436, 0.46, 0.541, 0.546, 0.666, 0.91]);
  expect(leads(levels)).toEqual([
    [7, 102, 320],
    [1, 92, 261],
    [2, 73, 208],
    [9, 57, 190],
    [5, 54, 193],
    [6, 66, 138],
    [7, 33, 108],
    [2, 32, 111],
    [2, 29, 98],
  ]);
  expect(leads(levelsOfTev)).toEqual([
    [8, 178, 354],
    [4, 94, 284],
    [3, 95, 321],
    [4, 97, 167],
    [9, 82, 197],
    [6, 62, 140],
    [4, 58, 119],
    [6, 56, 115],
    [7, 54, 111],
    [14, 50, 99],
  ]);
  expect(leads([surgeLead])).toEqual([[7, 41, 111]]);
});

test('the more a fit is given of what diverges, the higher its risks; none falls as the margin grows', () => {
  const { levels } = fitForecast(RUNS);
  const { levels: worse } = fitForecast(RUNS.filter(({ onset }) => onset !== null));
  for (const some of [levels, worse]) {
    expect(some.map(({ risk }) => risk)).toEqual(some.map(({ risk }) => risk).sort((a, b) => a - b));
    expect(some.every(({ risk }) => risk > 0 && risk < 1)).toBe(true);
  }
  for (const margin of [-3, -1, 0]) expect(levelAt(worse, margin).risk).toBeGreaterThan(levelAt(levels, margin).risk);
});
