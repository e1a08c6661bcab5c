import type { BoardChange } from '@evenkeel/protocol';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LiveBoard, paceOf, withLive } from './board.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const RUN = '01890a5d-ac96-774b-bcce-b302099a8057';
const OTHER = '01890a5d-ac96-774b-bcce-b302099a8058';

function change(run: string, lastStep: number, loss: BoardChange['loss'] = 1): BoardChange {
  const forecast = { risk: 0.1, divergenceStep: null, divergenceInterval: null };
  return { run, status: 'running', lastStep, loss, tevMean: 0.02, ...forecast, openAlerts: [] };
}

it('notifies a row of its own run only, a few times a second however much is received', () => {
  const board = new LiveBoard();
  const row = vi.fn();
  const other = vi.fn();
  board.subscribe(RUN, row);
  board.subscribe(OTHER, other);
  for (let ms = 0; ms < 1000; ms += 50) {
    board.apply([change(RUN, ms)], ms);
    vi.advanceTimersByTime(50);
  }
  expect(row.mock.calls.length).toBeGreaterThan(2);
  expect(row.mock.calls.length).toBeLessThanOrEqual(5);
  expect(other).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1000);
  expect(board.get(RUN)?.lastStep).toBe(950);
});

it('reads non-finite numbers from their words', () => {
  const board = new LiveBoard();
  board.apply([change(RUN, 1, 'NaN'), change(OTHER, 1, '-Infinity')], 0);
  expect(board.get(RUN)?.loss).toBeNaN();
  expect(board.get(OTHER)?.loss).toBe(Number.NEGATIVE_INFINITY);
});

it('knows the pace of a run that runs', () => {
  const board = new LiveBoard();
  for (let second = 0; second <= 4; second++) board.apply([change(RUN, second * 3)], second * 1000);
  expect(paceOf(board.get(RUN), 4000)).toBe(3);
  board.apply([{ ...change(RUN, 12), status: 'finished' }], 5000);
  expect(paceOf(board.get(RUN), 5000)).toBeNull();
  expect(paceOf(undefined, 0)).toBeNull();
});

it('takes a new run, a new status and a step back for news, not every step', () => {
  const board = new LiveBoard();
  expect(board.isNews(change(RUN, 5))).toBe(true);
  board.apply([change(RUN, 5)], 0);
  expect(board.isNews(change(RUN, 6))).toBe(false);
  expect(board.isNews(change(RUN, 4))).toBe(true);
  expect(board.isNews({ ...change(RUN, 5), status: 'lost' })).toBe(true);
});

it('prefers what came in later: the live state or the list', () => {
  const board = new LiveBoard();
  board.apply([change(RUN, 7)], 1000);
  const forecast = { risk: null, divergenceStep: null, divergenceInterval: null };
  const listed = { name: 'r', status: 'lost' as const, lastStep: 5, loss: 2, tevMean: 0, ...forecast, openAlerts: [] };
  const { run: _, ...live } = change(RUN, 7);
  expect(withLive(listed, 999, board.get(RUN))).toEqual({ name: 'r', ...live });
  expect(withLive(listed, 1001, board.get(RUN))).toBe(listed);
  expect(withLive(listed, 0, undefined)).toBe(listed);
});

it('a wall open for weeks forgets what has ended, and none that runs or is on the page', () => {
  const board = new LiveBoard();
  board.subscribe('shown', vi.fn());
  const ended = (run: string) => ({ ...change(run, 1), status: 'finished' as const });
  board.apply([ended('gone'), ended('shown'), change('quiet', 1)], 0);
  board.apply([ended('late')], 200_000);
  board.apply([change(RUN, 1)], 300_001);
  const known = ['gone', 'shown', 'quiet', 'late', RUN].filter((run) => board.get(run));
  expect(known).toEqual(['shown', 'quiet', 'late', RUN]);
});

it('forgets the runs last seen longest ago beyond ten thousand, and none that is on the page', () => {
  const board = new LiveBoard();
  board.subscribe('0', vi.fn());
  for (let run = 0; run < 10_000; run++) board.apply([change(String(run), 1)], run);
  board.apply([change('1', 2)], 20_000);
  board.apply([change('new', 1), change('newer', 1)], 20_001);
  const known = ['0', '1', '2', '3', '4', 'new'].map((run) => board.get(run)?.lastStep);
  expect(known).toEqual([1, 2, undefined, undefined, 1, 1]);
});
