import { mean, median } from '@evenkeel/stability';
import { markdownTable } from '@evenkeel/terminal';
import { ABLATIONS, ablate } from './ablation.ts';
import { type Alarm, BASELINES } from './baselines.ts';
import {
  calibrationOf,
  costOf,
  coverageOf,
  forecastAlarm,
  GIVEN,
  type Given,
  type JudgedSet,
  type Models,
  type Splitting,
  stepsAt,
} from './forecast.ts';
import type { BenchRun } from './run-set.ts';
import { type FirstAlarms, isRamp, type Score, scoreOf } from './score.ts';

const INTERVALS = [1, 10, 50];

/** The scores of every detector on a set of runs, as Markdown. */
export function tablesOf(set: JudgedSet, splitting: Splitting): string[] {
  return [
    `# ${titleOf(set)}`,
    '',
    introduction(set, splitting),
    ...INTERVALS.flatMap((every) => ['', `## Logged each ${every} steps`, '', ...detectorTable(set, every)]),
    '',
    ...GIVEN.flatMap((given) => [`## By kind, given ${given}`, '', ...kindTable(set, given), '']),
    ...(set.isLabeled ? ['## What each signal is worth', '', ...ablationTable(set, splitting), ''] : []),
    '## Is it calibrated?',
    '',
    ...calibrationTable(set),
    '',
  ];
}

export function titleOf({ name, isLabeled }: JudgedSet): string {
  return `${name}, ${isLabeled ? 'cross-validated' : 'as shipped'}`;
}

function introduction({ runs, early, doubtful, isLabeled }: JudgedSet, { folds, seeds }: Splitting): string {
  const diverged = runs.filter(({ onset }) => onset !== null).length;
  const counts = `${runs.length} runs count: ${diverged} diverged, ${runs.length - diverged} stayed healthy. ${early + doubtful} do not: ${early} diverged too early, ${doubtful} are doubtful.`;
  const how = isLabeled
    ? `Cross-validated: ${folds} folds, ${seeds.length} random splits; results are averaged over the splits.`
    : 'The forecast has its shipped constants, which were fitted on none of these runs.';
  return `${counts} ${how}`;
}

export function baselineAlarms(runs: readonly BenchRun[], newAlarm: () => Alarm, every: number): FirstAlarms {
  return new Map(
    runs.map((run) => {
      const alarm = newAlarm();
      return [run, stepsAt(run, every).find((signals) => alarm(signals))?.step ?? null];
    }),
  );
}

export function ourAlarms(models: Models, every: number, given: Given): FirstAlarms {
  return new Map([...models].map(([run, model]) => [run, forecastAlarm(run, model, every, given)]));
}

export function nameOf(given: Given): string {
  return `tev-growth, given ${given}`;
}

const HEADINGS = ['detector', 'ramps', 'lead', 'others', 'lead', 'all', 'false alarms'];

function detectorTable({ runs, splits }: JudgedSet, every: number): string[] {
  const baselines = Object.entries(BASELINES).map(([name, alarm]) =>
    detectorRow(name, [baselineAlarms(runs, alarm, every)]),
  );
  const ours = GIVEN.map((given) =>
    detectorRow(
      nameOf(given),
      splits.map((models) => ourAlarms(models, every, given)),
    ),
  );
  return markdownTable([HEADINGS, ...baselines, ...ours]);
}

/** The mean over the splits; one where nothing is fitted. */
function detectorRow(name: string, splits: readonly FirstAlarms[]): string[] {
  const ramps = splits.map((alarms) => scoreOf(alarms, isRamp));
  const others = splits.map((alarms) => scoreOf(alarms, (run) => !isRamp(run)));
  const all = splits.map((alarms) => scoreOf(alarms));
  return [name, recall(ramps), lead(ramps), recall(others), lead(others), recall(all), falseAlarms(all)];
}

function kindTable({ runs, splits }: JudgedSet, given: Given): string[] {
  const kinds = [...new Set(runs.map(({ kind }) => kind))].sort();
  const alarms = INTERVALS.map((every) => splits.map((models) => ourAlarms(models, every, given)));
  const rows = kinds.map((kind) => {
    const cells = alarms.flatMap((each) => {
      const scores = each.map((split) => scoreOf(split, (run) => run.kind === kind));
      return [recall(scores), lead(scores), falseAlarms(scores)];
    });
    return [kind, ...cells];
  });
  const headings = INTERVALS.flatMap((every) => [`found, each ${every}`, 'lead', 'false alarms']);
  return markdownTable([['kind', ...headings], ...rows]);
}

function ablationTable({ runs }: JudgedSet, { folds, seeds }: Splitting): string[] {
  const rows = Object.entries(ABLATIONS).map(([name, signals]) =>
    detectorRow(
      name,
      seeds.map((seed) => ablate(runs, signals, folds, seed)),
    ),
  );
  return markdownTable([HEADINGS, ...rows]);
}

function calibrationTable({ splits }: JudgedSet): string[] {
  const bins = splits.map(calibrationOf);
  const rows = (bins[0] ?? []).map(({ from, to }, at) => [
    `${from} to ${to}`,
    mean(bins.map((split) => split[at]?.steps ?? 0)).toFixed(0),
    percent(mean(bins.map((split) => split[at]?.happened ?? 0))),
  ]);
  const { held, medianError } = coverageOf(splits[0]);
  return [
    ...markdownTable([['risk', 'steps', 'onset within 100 steps'], ...rows]),
    '',
    `Of the forecasts of runs that diverged, ${percent(held)} had the onset within their interval (80 % are meant to); divergenceStep was off by ${medianError} steps in the median.`,
  ];
}

export function costLine(runs: readonly BenchRun[]): string {
  const { microseconds, bytes } = costOf(runs);
  return `A step costs the forecaster ${microseconds.toFixed(1)} µs; its state is ${(bytes / 1024).toFixed(1)} KiB at most.`;
}

function recall(scores: readonly Score[]): string {
  const diverged = scores[0]?.diverged ?? 0;
  if (diverged === 0) return '';
  const caught = mean(scores.map((score) => score.caught));
  return `${percent(caught / diverged)} (${Number(caught.toFixed(1))}/${diverged})`;
}

function lead(scores: readonly Score[]): string {
  const medians = scores.filter(({ leads }) => leads.length > 0).map(({ leads }) => median(leads));
  return medians.length > 0 ? mean(medians).toFixed(0) : '';
}

function falseAlarms(scores: readonly Score[]): string {
  const healthy = scores[0]?.healthy ?? 0;
  if (healthy === 0) return '';
  const alarms = mean(scores.map((score) => score.falseAlarms));
  return `${((100 * alarms) / healthy).toFixed(1)} % (${Number(alarms.toFixed(1))}/${healthy})`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
