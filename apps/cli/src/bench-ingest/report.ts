import type { Percentiles } from '../bench/percentiles.ts';
import { mebibytes, milliseconds } from '../bench/units.ts';
import type { Measured } from './measure.ts';

type Row = readonly [what: string, read: (measured: Measured) => string];

const ROWS: readonly Row[] = [
  ['steps a second', ({ stepsPerSecond }) => count(stepsPerSecond)],
  ['values a second', ({ valuesPerSecond }) => count(valuesPerSecond)],
  ['COPY of the same rows, steps per second', ({ copyStepsPerSecond }) => count(copyStepsPerSecond)],
  ['beside COPY', ({ ratioToCopy }) => ratioToCopy.toFixed(3)],
  ['acknowledged, p50 · p99 · max', ({ acks }) => times(acks)],
  ['with a viewer, p50 · p99 · max', ({ viewers }) => times(viewers)],
  ['frames · steps that viewers missed', ({ frames, missedSteps }) => `${count(frames)} · ${count(missedSteps)}`],
  ['pending in the clients, before · after', ({ pending }) => `${count(pending.before)} · ${count(pending.after)}`],
  ['until the server had nothing left to do', ({ settledMs }) => milliseconds(settledMs)],
  ['CPU a step: client', ({ cpuPerStep }) => microseconds(cpuPerStep.client)],
  ['CPU a step: server', ({ cpuPerStep }) => microseconds(cpuPerStep.server)],
  ['CPU a step: database', ({ cpuPerStep }) => microseconds(cpuPerStep.database)],
  [
    'memory of the server, before · after · peak',
    ({ memory }) => [memory.before, memory.after, memory.peak].map(mebibytes).join(' · '),
  ],
  [
    'raw rows on disk, bytes per step · per value',
    ({ disk }) => `${disk.bytesPerStep.toFixed(0)} · ${disk.bytesPerValue.toFixed(1)}`,
  ],
  ['all tables on disk, bytes per step', ({ disk }) => disk.totalBytesPerStep.toFixed(0)],
  ['load average, 1 · 5 · 15 minutes', ({ loadAverage }) => loadAverage.map((load) => load.toFixed(1)).join(' · ')],
  ['warnings', ({ warnings }) => warnings.join('; ') || 'none'],
];

/** A column for each build. */
export function tableOf(measured: readonly Measured[], echoStepsPerSecond: number): string[][] {
  return [
    ['', ...measured.map(({ build }) => build)],
    ...ROWS.map(([what, read]) => [what, ...measured.map(read)]),
    ['bare websocket round trip, steps per second', ...measured.map(() => count(echoStepsPerSecond))],
  ];
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function times({ p50, p99, max }: Percentiles): string {
  return [p50, p99, max].map(milliseconds).join(' · ');
}

function microseconds(value: number | null): string {
  return value === null ? '–' : `${value.toFixed(1)} µs`;
}
