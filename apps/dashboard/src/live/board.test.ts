import type { BoardChange } from '@evenkeel/protocol';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { LiveBoard, paceOf, withLive } from './board.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

const RUN = '01890a5d-ac96-774b-bcce-b302099a8057';
const OTHER = '01890a5d-ac96-774b-bcce-b302099a8058';

const FORECAST = { risk: 0.1, divergenceStep: null, divergenceInterval: null };

function change(run: string, lastStep: number, loss: BoardChange['loss'] = 1): BoardChange {
  return { run, status: 'running', lastStep, loss, tevMean: 0.02, ...FORECAST, openAlerts: [] };
}

it('tells a row of its own run alone, a few times a second however much comes', () => {
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

it('prefers what came in later: the live word or the list', () => {
  const board = new LiveBoard();
  board.apply([change(RUN, 7)], 1000);
  const listed = { name: 'r', status: 'lost' as const, lastStep: 5, loss: 2, tevMean: 0, ...FORECAST, openAlerts: [] };
  expect(withLive(listed, 999, board.get(RUN))).toMatchObject({ name: 'r', status: 'running', lastStep: 7 });
  expect(withLive(listed, 1001, board.get(RUN))).toBe(listed);
  expect(withLive(listed, 0, undefined)).toBe(listed);
});
