import type { OpenAlert, RunStatus } from '@evenkeel/protocol';
import { expect, it } from 'vitest';
import { fitTiles, rankRuns } from './tiles.ts';

const NOW = Date.UTC(2026, 0, 1, 12);

interface Over {
  status?: RunStatus;
  risk?: number | null;
  openAlerts?: OpenAlert[];
  startedAt?: Date;
  endedAt?: Date | null;
}

const aRun = (id: string, over: Over = {}) => ({
  ...{ id, status: 'running' as RunStatus, risk: null, openAlerts: [], startedAt: new Date(NOW - 1), endedAt: null },
  ...over,
});
const minutesAgo = (minutes: number) => new Date(NOW - minutes * 60_000);
const rank = (...runs: ReturnType<typeof aRun>[]) => rankRuns(runs, NOW).map(({ id }) => id);

it('puts the riskiest first, then the worst alert, then the youngest', () => {
  const alert = { rule: 'loss-spike' as const, step: 1 };
  const order = rank(
    aRun('old', { startedAt: minutesAgo(9) }),
    aRun('young', { startedAt: minutesAgo(1) }),
    aRun('warned', { openAlerts: [{ ...alert, severity: 'warning' }] }),
    aRun('critical', { openAlerts: [{ ...alert, severity: 'critical' }] }),
    aRun('risky', { risk: 0.4 }),
    aRun('riskier', { risk: 0.9 }),
  );
  expect(order).toEqual(['riskier', 'risky', 'critical', 'warned', 'young', 'old']);
});

it('lets tiles keep their places while risk moves within five per cent', () => {
  const order = (risk: number) =>
    rank(aRun('old', { risk, startedAt: minutesAgo(9) }), aRun('young', { risk: 0.5, startedAt: minutesAgo(1) }));
  expect(order(0.51)).toEqual(['young', 'old']);
  expect(order(0.49)).toEqual(['young', 'old']);
  expect(order(0.6)).toEqual(['old', 'young']);
});

it('shows what ended within the hour below what is at risk, and nothing that has finished or ended before', () => {
  const ended = (id: string, status: RunStatus, minutes: number) =>
    aRun(id, { status, risk: 1, endedAt: minutesAgo(minutes) });
  const order = rank(
    ...[aRun('calm', { risk: 0.01 }), ended('failed', 'failed', 59), ended('long ago', 'failed', 61)],
    ...[ended('finished', 'finished', 1), aRun('risky', { risk: 0.1 })],
  );
  expect(order).toEqual(['risky', 'failed', 'calm']);
});

it('leaves room for what runs when many end at once', () => {
  const ended = [1, 2, 3, 4, 5, 6].map((minutes) =>
    aRun(`${minutes}`, { status: 'lost', endedAt: minutesAgo(minutes) }),
  );
  expect(rank(...ended.reverse(), aRun('calm')).sort()).toEqual(['1', '2', '3', '4', 'calm']);
});

it('shows a run once', () => {
  expect(rank(aRun('a'), aRun('a'))).toEqual(['a']);
});

it('fills the screen, with no more tiles than can be read', () => {
  const tv = { width: 1920, height: 1040 };
  expect(fitTiles(40, tv)).toEqual({ tiles: 12, across: 4 });
  expect(fitTiles(6, tv)).toEqual({ tiles: 6, across: 3 });
  expect(fitTiles(1, tv)).toEqual({ tiles: 1, across: 1 });
  expect(fitTiles(40, { width: 1280, height: 700 })).toEqual({ tiles: 4, across: 2 });
  expect(fitTiles(40, { width: 1040, height: 1880 })).toEqual({ tiles: 12, across: 2 });
  expect(fitTiles(40, { width: 390, height: 800 })).toEqual({ tiles: 4, across: 1 });
  expect(fitTiles(0, tv)).toEqual({ tiles: 0, across: 1 });
});
