import { expect, onTestFinished, test, vi } from 'vitest';
import { Watchdog } from './watchdog.ts';

/** A watchdog of an open database, a clock that only the test moves, and what was found to hang after how long. */
function watched({ isDiskFull = false } = {}) {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const stuck: number[] = [];
  const watchdog = new Watchdog({ isDiskFull: async () => isDiskFull, onStuck: (seconds) => stuck.push(seconds) });
  watchdog.opened();
  return { watchdog, stuck, pass: (seconds: number) => vi.advanceTimersByTimeAsync(1_000 * seconds) };
}

test.for([
  ['select 1', 60],
  ['begin', 20],
  ['\n insert into step values (1)', 20],
  ['delete from run', 1_800],
  ['vacuum (analyze)', 1_800],
] as const)('“%s” hangs after %i seconds', async ([statement, seconds]) => {
  const { watchdog, stuck, pass } = watched();
  watchdog.sent(statement);
  await pass(seconds);
  expect(stuck).toEqual([]);
  await pass(100);
  expect(stuck).toEqual([seconds + 1]);
});

test('what is answered in time does not hang, however much follows it', async () => {
  const { watchdog, stuck, pass } = watched();
  for (let count = 0; count < 10; count++) {
    watchdog.sent('commit');
    await pass(19);
    watchdog.answered({ isIdle: count % 2 === 0 });
  }
  watchdog.answered({ isIdle: true });
  await pass(1_000);
  expect(stuck).toEqual([]);
});

test('on a full disk, or after the database has failed by itself, 10 seconds are enough, but not after refused data', async () => {
  const full = watched({ isDiskFull: true });
  full.watchdog.sent('select 1');
  await full.pass(11);
  expect(full.stuck).toEqual([11]);
  for (const [code, stuck] of [
    ['XX000', [11]],
    ['53100', [11]],
    ['23505', []],
  ] as const) {
    const failed = watched();
    failed.watchdog.sent('begin');
    failed.watchdog.answered({ isIdle: true, code });
    failed.watchdog.sent('begin');
    await failed.pass(12);
    expect(failed.stuck, code).toEqual(stuck);
    failed.watchdog.stop();
  }
});
