import { DEFAULT_RULES } from '@evenkeel/stability';
import { draw } from '@evenkeel/trainer';
import type { TopLevelSpec } from 'vega-lite';
import { forecastsOf, type Models } from './forecast.ts';
import type { BenchRun } from './labelled-runs.ts';
import { type Score, scoreOf } from './score.ts';

interface Point {
  detector: string;
  recall: number;
  falseAlarms: number;
}

/** What the forecast would catch if its limits were so many times what they are. */
export function curveOf(models: Models): Point[] {
  const { critical, surgeCritical } = DEFAULT_RULES['tev-growth'];
  const levels = [...models].map(([run, model]) => {
    const forecasts = forecastsOf(run, model);
    return [run, forecasts.map((one) => Math.max(one.growthRisk / critical, one.surgeRisk / surgeCritical))] as const;
  });
  return Array.from({ length: 40 }, (_, at) => {
    const limit = 0.25 + at / 40;
    const alarms = new Map<BenchRun, number | null>();
    for (const [run, level] of levels) alarms.set(run, level.some((value) => value >= limit) ? 0 : null);
    return pointOf('the forecast, cross-validated', scoreOf(alarms));
  });
}

export function pointOf(detector: string, { caught, diverged, falseAlarms, healthy }: Score): Point {
  return { detector, recall: caught / diverged, falseAlarms: falseAlarms / healthy };
}

/** Recall against false alarms, and how long before the onset the alarms come. */
export function plotOf(
  curve: readonly Point[],
  points: readonly Point[],
  leads: readonly { detector: string; lead: number }[],
) {
  const percent = { format: '.0%' };
  const x = { field: 'falseAlarms', type: 'quantitative', title: 'healthy runs with an alarm', axis: percent } as const;
  const y = { field: 'recall', type: 'quantitative', title: 'divergences found before onset', axis: percent } as const;
  const spec: TopLevelSpec = {
    background: 'white',
    config: { font: 'sans-serif' },
    hconcat: [
      {
        width: 460,
        height: 360,
        layer: [
          {
            data: { values: [...curve] },
            mark: { type: 'line', strokeWidth: 3, color: '#c2410c' },
            encoding: { x, y, order: { field: 'falseAlarms' } },
          },
          {
            data: { values: [...points] },
            mark: { type: 'point', filled: true, size: 90 },
            encoding: {
              x,
              y,
              color: {
                field: 'detector',
                type: 'nominal',
                title: null,
                scale: { scheme: 'tableau20' },
                legend: { orient: 'bottom', columns: 1, labelLimit: 460 },
              },
            },
          },
        ],
      },
      {
        width: 360,
        height: 360,
        data: { values: [...leads] },
        mark: { type: 'area', opacity: 0.5, line: true, interpolate: 'monotone' },
        transform: [{ density: 'lead', groupby: ['detector'], extent: [0, 200], bandwidth: 10, counts: true }],
        encoding: {
          x: { field: 'value', type: 'quantitative', title: 'steps from the alarm to the onset' },
          y: { field: 'density', type: 'quantitative', title: 'divergences per step of lead', stack: null },
          color: { field: 'detector', type: 'nominal', title: null, legend: { orient: 'bottom', columns: 1 } },
        },
      },
    ],
    resolve: { scale: { color: 'independent' } },
  };
  return draw(spec);
}
