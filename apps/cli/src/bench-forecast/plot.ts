import { draw, type TopLevelSpec } from '@evenkeel/study';
import { BASELINES } from './baselines.ts';
import { forecastsOf, GIVEN, type JudgedSet, type Models } from './forecast.ts';
import type { BenchRun } from './run-set.ts';
import { isRamp, type Score, scoreOf } from './score.ts';
import { baselineAlarms, nameOf, ourAlarms, titleOf } from './tables.ts';

interface Point {
  detector: string;
  recall: number;
  falseAlarms: number;
}

/** A column for each set: recall against false alarms, and below it the lead of the alarms. */
export function plotOf(sets: readonly JudgedSet[]): Promise<string> {
  const spec: TopLevelSpec = {
    background: 'white',
    config: { font: 'sans-serif', legend: { labelLimit: 0 } },
    vconcat: [
      { hconcat: sets.map(recallPanel), resolve: { scale: { color: 'shared' } } },
      { hconcat: sets.map(leadPanel), resolve: { scale: { color: 'shared' } } },
    ],
    resolve: { scale: { color: 'independent' } },
  };
  return draw(spec);
}

type Panel = Extract<TopLevelSpec, { hconcat: unknown }>['hconcat'][number];

const SIZE = { width: 400, height: 340 };

function recallPanel(set: JudgedSet): Panel {
  const { runs, models } = set;
  const baselines = Object.entries(BASELINES).map(([detector, alarm]) =>
    pointOf(detector, scoreOf(baselineAlarms(runs, alarm, 1))),
  );
  const ours = GIVEN.map((given) => pointOf(nameOf(given), scoreOf(ourAlarms(models, 1, given))));
  const percent = { axis: { format: '.0%' }, scale: { domain: [0, 1] } };
  const x = { field: 'falseAlarms', type: 'quantitative', title: 'healthy runs with an alarm', ...percent } as const;
  const y = { field: 'recall', type: 'quantitative', title: 'divergences found before onset', ...percent } as const;
  const legend = { orient: 'bottom', columns: 2 } as const;
  return {
    ...SIZE,
    title: titleOf(set),
    layer: [
      {
        data: { values: curveOf(models) },
        mark: { type: 'line', strokeWidth: 3, color: '#c2410c' },
        encoding: { x, y, order: { field: 'limit' } },
      },
      {
        data: { values: [...baselines, ...ours] },
        mark: { type: 'point', filled: true, size: 90 },
        encoding: {
          x,
          y,
          color: { field: 'detector', type: 'nominal', title: null, scale: { scheme: 'tableau20' }, legend },
        },
      },
    ],
  };
}

/** Recall and false alarms of the forecast with other limits of its margin. */
function curveOf(models: Models): (Point & { limit: number })[] {
  const peaks = [...models].map(([run, model]) => {
    const margins = forecastsOf(run, model).map(({ margin }) => margin);
    return [run, margins.reduce((peak, margin) => Math.max(peak, margin), Number.NEGATIVE_INFINITY)] as const;
  });
  return Array.from({ length: 40 }, (_, at) => {
    const limit = 2 - at / 10;
    const alarms = new Map<BenchRun, number | null>();
    for (const [run, peak] of peaks) alarms.set(run, peak >= limit ? 0 : null);
    return { limit, ...pointOf('the forecast', scoreOf(alarms)) };
  });
}

function pointOf(detector: string, { caught, diverged, falseAlarms, healthy }: Score): Point {
  return { detector, recall: caught / diverged, falseAlarms: falseAlarms / healthy };
}

function leadPanel({ models }: JudgedSet): Panel {
  const alarms = ourAlarms(models, 1, 'these and the learning rate');
  const groups = { ramps: isRamp, others: (run: BenchRun) => !isRamp(run) };
  const leads = Object.entries(groups).flatMap(([runs, counts]) =>
    scoreOf(alarms, counts).leads.map((lead) => ({ runs, lead })),
  );
  return {
    ...SIZE,
    height: 200,
    data: { values: leads },
    mark: { type: 'area', opacity: 0.5, line: true, interpolate: 'monotone' },
    transform: [{ density: 'lead', groupby: ['runs'], extent: [0, 200], bandwidth: 10, counts: true }],
    encoding: {
      x: { field: 'value', type: 'quantitative', title: 'steps from the alarm to the onset' },
      y: { field: 'density', type: 'quantitative', title: 'divergences per step of lead', stack: null },
      color: { field: 'runs', type: 'nominal', title: null, legend: { orient: 'bottom' } },
    },
  };
}
