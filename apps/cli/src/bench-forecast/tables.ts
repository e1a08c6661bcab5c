import { median } from '@evenkeel/stability';
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
  stepsAt,
} from './forecast.ts';
import type { BenchRun } from './run-set.ts';
import { type FirstAlarms, isRamp, type Score, scoreOf } from './score.ts';

const INTERVALS = [1, 10, 50];
/** The intervals at which risks are learned. */
const CALIBRATED = [1, 10];

/** The scores of every detector on a set of runs, as Markdown. */
export function tablesOf(set: JudgedSet): string[] {
  return [
    `# ${titleOf(set)}`,
    '',
    introduction(set),
    ...INTERVALS.flatMap((every) => ['', `## ${loggedWords(every)}`, '', ...detectorTable(set, every)]),
    '',
    ...GIVEN.flatMap((given) => [`## By kind, given ${given}`, '', ...kindTable(set, given), '']),
    ...(set.isLabeled ? ['## What each signal is worth', '', ...ablationTable(set), ''] : []),
    ...CALIBRATED.flatMap((every) => [
      `## Is it calibrated? ${loggedWords(every)}`,
      '',
      ...calibrationTable(set, every),
      '',
      ...coverageTable(set, every),
      '',
    ]),
  ];
}

function loggedWords(every: number): string {
  return every === 1 ? 'Logged at each step' : `Logged each ${every} steps`;
}

function were(count: number): string {
  return `${count} ${count === 1 ? 'was' : 'were'}`;
}

export function titleOf({ name, isLabeled }: JudgedSet): string {
  return `${name}, ${isLabeled ? 'cross-validated' : 'as shipped'}`;
}

function introduction({ runs, early, doubtful, isLabeled }: JudgedSet): string {
  const count = (verdict: BenchRun['verdict']) => runs.filter((run) => run.verdict === verdict).length;
  const counts = `${runs.length} runs count: ${count('diverged')} diverged, ${were(count('hurt'))} hurt, ${were(count('stuck'))} stuck, ${count('healthy')} stayed healthy. ${early + doubtful} do not: ${early} diverged too early, ${doubtful} are doubtful.`;
  const how = isLabeled
    ? 'Cross-validated: every kind of runs is judged by a forecast that was fitted to the other kinds.'
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

/** Leads, in steps, that leave time to act. */
const LEADS = [10, 25];
const FOUND = [...LEADS.map((lead) => `${lead} ahead`), 'lead'];
const HEADINGS = ['detector', 'ramps', ...FOUND, 'others', ...FOUND, 'false alarms', 'healthy', 'hurt', 'stuck'];

function detectorTable({ runs, models }: JudgedSet, every: number): string[] {
  const baselines = Object.entries(BASELINES).map(([name, alarm]) =>
    detectorRow(name, baselineAlarms(runs, alarm, every)),
  );
  const ours = GIVEN.map((given) => detectorRow(nameOf(given), ourAlarms(models, every, given)));
  return markdownTable([HEADINGS, ...baselines, ...ours]);
}

function detectorRow(name: string, alarms: FirstAlarms): string[] {
  const ramps = scoreOf(alarms, isRamp);
  const others = scoreOf(alarms, (run) => !isRamp(run));
  const verdicts = (['healthy', 'hurt', 'stuck'] as const).map((verdict) => {
    const { healthy, falseAlarms } = scoreOf(alarms, (run) => run.verdict === verdict);
    return healthy === 0 ? '' : `${falseAlarms}/${healthy}`;
  });
  return [name, ...found(ramps), ...found(others), falseAlarms(scoreOf(alarms)), ...verdicts];
}

function found(score: Score): string[] {
  if (score.diverged === 0) return ['', ...LEADS.map(() => ''), ''];
  const ahead = LEADS.map((steps) => String(score.leads.filter((lead) => lead >= steps).length));
  return [recall(score), ...ahead, lead(score)];
}

function kindTable({ runs, models }: JudgedSet, given: Given): string[] {
  const kinds = [...new Set(runs.map(({ kind }) => kind))].sort();
  const alarms = INTERVALS.map((every) => ourAlarms(models, every, given));
  const rows = kinds.map((kind) => {
    const cells = alarms.flatMap((each) => {
      const score = scoreOf(each, (run) => run.kind === kind);
      return [recall(score), lead(score), falseAlarms(score)];
    });
    return [kind, ...cells];
  });
  const headings = INTERVALS.flatMap((every) => [`found, each ${every}`, 'lead', 'false alarms']);
  return markdownTable([['kind', ...headings], ...rows]);
}

function ablationTable({ runs }: JudgedSet): string[] {
  const rows = Object.entries(ABLATIONS).map(([name, signals]) => detectorRow(name, ablate(runs, signals)));
  return markdownTable([HEADINGS, ...rows]);
}

function calibrationTable({ models }: JudgedSet, every: number): string[] {
  const rows = calibrationOf(models, every).map(({ from, to, runs, risk, happened, interval: [low, high] }) => {
    if (runs === 0) return [`${from} to ${to}`, '0', '', '', ''];
    return [`${from} to ${to}`, String(runs), percent(risk), percent(happened), `${percent(low)} to ${percent(high)}`];
  });
  return markdownTable([['risk', 'runs', 'stated', 'onset within 100 steps', 'binomial 90 % interval'], ...rows]);
}

function coverageTable({ models }: JudgedSet, every: number): string[] {
  const rows = coverageOf(models, every).map(({ kind, runs, held, error }) => [
    kind,
    String(runs),
    percent(held),
    error.toFixed(0),
  ]);
  return markdownTable([
    ['kind', 'runs with a predicted step', 'onset in the 80 % interval', 'off by, steps'],
    ...rows,
  ]);
}

export function costLine(runs: readonly BenchRun[]): string {
  const { microseconds, bytes } = costOf(runs);
  return `A step costs the forecaster ${microseconds.toFixed(1)} µs; its state is ${(bytes / 1024).toFixed(1)} KiB at most.`;
}

function recall({ caught, diverged }: Score): string {
  return diverged === 0 ? '' : `${percent(caught / diverged)} (${caught}/${diverged})`;
}

function lead({ leads }: Score): string {
  return leads.length === 0 ? '' : median(leads).toFixed(0);
}

function falseAlarms({ falseAlarms, healthy }: Score): string {
  return healthy === 0 ? '' : `${((100 * falseAlarms) / healthy).toFixed(1)} % (${falseAlarms}/${healthy})`;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(0)} %`;
}
