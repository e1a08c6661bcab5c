import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fitForecast } from '@evenkeel/stability';
import { Command } from 'commander';
import { ABLATIONS, ablate } from '../bench-forecast/ablation.ts';
import { type Alarm, BASELINES } from '../bench-forecast/baselines.ts';
import {
  calibrationOf,
  costOf,
  coverageOf,
  crossFit,
  forecastAlarm,
  type Given,
  type Models,
  stepsAt,
} from '../bench-forecast/forecast.ts';
import { type BenchRun, readLabelledRuns } from '../bench-forecast/labelled-runs.ts';
import { curveOf, plotOf, pointOf } from '../bench-forecast/plot.ts';
import { type FirstAlarms, isRamp, quantile, type Score, scoreOf } from '../bench-forecast/score.ts';
import { Failure } from '../failure.ts';
import { readCount } from '../numbers.ts';

const INTERVALS = [1, 10, 50];
const OURS: readonly Given[] = ['TEV', 'TEV and gradients'];
const nameOf = (given: Given) => `tev-growth, cross-validated, given ${given}`;

interface Options {
  runs: string;
  folds: number;
  repeats: number;
  out?: string;
  fit?: true;
}

export function benchForecastCommand(): Command {
  return new Command('forecast')
    .description('score the forecast and what else is in use on recorded runs')
    .requiredOption('--runs <folder>', 'recordings with a labels.json')
    .option(
      '--folds <n>',
      'parts that the runs are split into; each is tested on what the others taught',
      readCount,
      10,
    )
    .option('--repeats <n>', 'how often, each time split anew', readCount, 5)
    .option('--out <folder>', 'write the tables (forecast.md) and the plot (forecast.svg) here')
    .option('--fit', 'only print what all runs teach: the constants of packages/stability/src/forecast/model.ts')
    .action(async (options: Options) => {
      const runs = await readLabelledRuns(options.runs);
      if (!runs.some(({ onset }) => onset === null) || !runs.some(({ onset }) => onset !== null))
        throw new Failure(`${options.runs}: holds no run that diverged, or none that stayed healthy`);
      if (options.fit) console.log(fitForecast(runs));
      else await bench(runs, options);
    });
}

async function bench(runs: readonly BenchRun[], { folds, repeats, out }: Options): Promise<void> {
  const seeds = Array.from({ length: repeats }, (_, seed) => seed);
  const models = seeds.map((seed) => crossFit(runs, folds, seed));
  const text = [
    `${runs.length} runs; ${folds} folds, split anew ${repeats} times; what is learnt is averaged over the splits.`,
    ...INTERVALS.flatMap((every) => ['', `## Logged each ${every} steps`, '', ...detectorTable(runs, models, every)]),
    '',
    ...OURS.flatMap((given) => [`## By kind, given ${given}`, '', ...kindTable(runs, models, given), '']),
    '## What each signal is worth',
    '',
    ...ablationTable(runs, folds, seeds),
    '',
    '## Is it calibrated?',
    '',
    ...calibrationTable(models),
    '',
    costLine(runs),
  ].join('\n');
  console.log(text);
  if (!out) return;
  await mkdir(out, { recursive: true });
  await writeFile(join(out, 'forecast.md'), `${text}\n`);
  await writeFile(join(out, 'forecast.svg'), await plot(runs, models[0] as Models));
}

function baselineAlarms(runs: readonly BenchRun[], newAlarm: () => Alarm, every: number): FirstAlarms {
  return new Map(
    runs.map((run) => {
      const alarm = newAlarm();
      return [run, stepsAt(run, every).find((signals) => alarm(signals))?.step ?? null];
    }),
  );
}

function ourAlarms(models: Models, every: number, given: Given): FirstAlarms {
  return new Map([...models].map(([run, model]) => [run, forecastAlarm(run, model, every, given)]));
}

const HEADINGS = ['detector', 'ramps', 'lead', 'others', 'lead', 'all', 'false alarms'];

function detectorTable(runs: readonly BenchRun[], models: readonly Models[], every: number): string[] {
  const baselines = Object.entries(BASELINES).map(([name, alarm]) =>
    detectorRow(name, [baselineAlarms(runs, alarm, every)]),
  );
  const ours = OURS.map((given) =>
    detectorRow(
      nameOf(given),
      models.map((model) => ourAlarms(model, every, given)),
    ),
  );
  return markdown([HEADINGS, ...baselines, ...ours]);
}

/** The mean of several splits; one where nothing is learnt. */
function detectorRow(name: string, splits: readonly FirstAlarms[]): string[] {
  const ramps = splits.map((alarms) => scoreOf(alarms, isRamp));
  const others = splits.map((alarms) => scoreOf(alarms, (run) => !isRamp(run)));
  const all = splits.map((alarms) => scoreOf(alarms));
  return [name, recall(ramps), lead(ramps), recall(others), lead(others), recall(all), falseAlarms(all)];
}

function kindTable(runs: readonly BenchRun[], models: readonly Models[], given: Given): string[] {
  const kinds = [...new Set(runs.map(({ kind }) => kind))].sort();
  const alarms = INTERVALS.map((every) => models.map((model) => ourAlarms(model, every, given)));
  const rows = kinds.map((kind) => {
    const cells = alarms.flatMap((splits) => {
      const scores = splits.map((split) => scoreOf(split, (run) => run.kind === kind));
      return [recall(scores), lead(scores), falseAlarms(scores)];
    });
    return [kind, ...cells];
  });
  const headings = INTERVALS.flatMap((every) => [`found, each ${every}`, 'lead', 'false alarms']);
  return markdown([['kind', ...headings], ...rows]);
}

function ablationTable(runs: readonly BenchRun[], folds: number, seeds: readonly number[]): string[] {
  const rows = Object.entries(ABLATIONS).map(([name, signals]) =>
    detectorRow(
      name,
      seeds.map((seed) => ablate(runs, signals, folds, seed)),
    ),
  );
  return markdown([HEADINGS, ...rows]);
}

function calibrationTable(models: readonly Models[]): string[] {
  const bins = models.map(calibrationOf);
  const rows = (bins[0] ?? []).map(({ from, to }, at) => [
    `${from} to ${to}`,
    mean(bins.map((split) => split[at]?.steps ?? 0)).toFixed(0),
    percent(mean(bins.map((split) => split[at]?.happened ?? 0))),
  ]);
  const { held, medianError } = coverageOf(models[0] as Models);
  return [
    ...markdown([['risk', 'steps', 'onset within 100 steps'], ...rows]),
    '',
    `Of the forecasts of runs that diverged, ${percent(held)} had the onset within their interval (80 % are meant to); divergenceStep was off by ${medianError} steps in the median.`,
  ];
}

function costLine(runs: readonly BenchRun[]): string {
  const { microseconds, bytes } = costOf(runs);
  return `A step costs the forecaster ${microseconds.toFixed(1)} µs; its state is ${(bytes / 1024).toFixed(1)} KiB at most.`;
}

async function plot(runs: readonly BenchRun[], models: Models): Promise<string> {
  const scores = Object.entries(BASELINES).map(
    ([name, alarm]) => [name, scoreOf(baselineAlarms(runs, alarm, 1))] as const,
  );
  const mine = OURS.map((given) => [nameOf(given), scoreOf(ourAlarms(models, 1, given))] as const);
  const ours = ourAlarms(models, 1, 'TEV and gradients');
  const points = [...scores, ...mine].map(([name, score]) => pointOf(name, score));
  const leads = [
    ['ramps', scoreOf(ours, isRamp)],
    ['others', scoreOf(ours, (run) => !isRamp(run))],
  ] as const;
  return plotOf(
    curveOf(models),
    points,
    leads.flatMap(([detector, score]) => score.leads.map((lead) => ({ detector, lead }))),
  );
}

function recall(scores: readonly Score[]): string {
  const diverged = scores[0]?.diverged ?? 0;
  if (diverged === 0) return '';
  const caught = mean(scores.map((score) => score.caught));
  return `${percent(caught / diverged)} (${Number(caught.toFixed(1))}/${diverged})`;
}

function lead(scores: readonly Score[]): string {
  const medians = scores.flatMap(({ leads }) => quantile(leads, 0.5) ?? []);
  return medians.length > 0 ? mean(medians).toFixed(0) : '';
}

function falseAlarms(scores: readonly Score[]): string {
  const healthy = scores[0]?.healthy ?? 0;
  if (healthy === 0) return '';
  const alarms = mean(scores.map((score) => score.falseAlarms));
  return `${((100 * alarms) / healthy).toFixed(1)} % (${Number(alarms.toFixed(1))}/${healthy})`;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}

function markdown(rows: readonly (readonly string[])[]): string[] {
  const lines = rows.map((row) => `| ${row.join(' | ')} |`);
  return [lines[0] ?? '', `|${'---|'.repeat(rows[0]?.length ?? 0)}`, ...lines.slice(1)];
}
