import { expect, test } from 'vitest';
import { decodeInChunks, rowsIn } from '../testing.ts';
import { customTextLog, textLog } from './text-log.ts';

const rows = (...lines: string[]) => rowsIn(decodeInChunks(textLog, `${lines.join('\n')}\n`, 37));

test('Megatron-LM: a line of training, with and without a time, and of validation', () => {
  const fields =
    'iteration      200/    1000 | consumed samples:         3200 | elapsed time per iteration (ms): 412.5 | throughput per GPU (TFLOP/s/GPU): 98.1 | learning rate: 1.250000E-04 | global batch size:    16 | lm loss: 6.912345E+00 | loss scale: 1.0 | grad norm: 1.875 | number of skipped iterations:   0 | number of nan iterations:   2 |';
  const values = {
    ...{ 'consumed samples': 3200, 'elapsed time per iteration (ms)': 412.5, 'throughput per GPU (TFLOP/s/GPU)': 98.1 },
    ...{ 'learning rate': 1.25e-4, 'global batch size': 16, 'lm loss': 6.912345, 'loss scale': 1, 'grad norm': 1.875 },
    ...{ 'number of skipped iterations': 0, 'number of nan iterations': 2 },
  };
  expect(
    rows('> building the model', ` ${fields}`, ' [default0]:[2026-11-30 09:00:00] iteration 201/1000 | lm loss: nan |'),
  ).toEqual([
    [200, values],
    [201, { 'lm loss': Number.NaN }],
  ]);
  expect(
    rows(
      '----------------------------------',
      ' validation loss at iteration 1000 | lm loss value: 2.750000E+00 | lm loss PPL: 1.564263E+01 | ',
      ' validation loss at iteration 1000 on test set | lm loss value: 3.0E+00 |',
    ),
  ).toEqual([
    [1000, { 'lm loss validation': 2.75, 'lm loss PPL validation': 15.64263 }],
    [1000, { 'lm loss test': 3 }],
  ]);
});

test('torchtitan: colors, thousands and units are left out', () => {
  const training =
    '[rank0]:[titan] 2026-11-30 09:00:00,250 - root - INFO - \x1b[31mstep: 10  \x1b[32mloss:  7.8125  \x1b[38;2;180;60;0mgrad_norm:  1.5000  \x1b[36mmemory: 20.25GiB(25.50%)  \x1b[34mtps: 12,345  \x1b[36mtflops: 1,098.70  \x1b[35mmfu: 42.10%\x1b[39m';
  expect(rows(training, 'validate step: 10  loss:  7.5000  memory: 19.00GiB(24.00%)  tps: 9,000')).toEqual([
    [10, { loss: 7.8125, grad_norm: 1.5, memory: 20.25, tps: 12_345, tflops: 1098.7, mfu: 42.1 }],
    [10, { 'validation loss': 7.5, 'validation memory': 19, 'validation tps': 9000 }],
  ]);
});

test('the time before a line is that of its row, in the zone of this machine', () => {
  const [row] = decodeInChunks(textLog, '2026-11-30 09:00:00,250 - root - INFO - step:  1  loss:  7.5\n', 999);
  expect(row).toMatchObject({ kind: 'row', time: new Date(2026, 10, 30, 9, 0, 0, 250).getTime() });
});

test('nanoGPT: the estimate over many batches is not the loss of its step', () => {
  expect(
    rows(
      'tokens per iteration will be: 491,520',
      'step 250: train loss 3.9012, val loss 4.0034',
      'iter 250: loss 3.8750, time 120.25ms, mfu -100.00%',
      'iter 251: loss nan, time 1120.25ms, mfu 10.50%',
    ),
  ).toEqual([
    [250, { 'estimated train loss': 3.9012, 'val loss': 4.0034 }],
    [250, { loss: 3.875, time: 120.25, mfu: -100 }],
    [251, { loss: Number.NaN, time: 1120.25, mfu: 10.5 }],
  ]);
});

test('modded-nanogpt: its log begins with the program, whose lines are none of a run', () => {
  expect(
    rows(
      'print0(f"step:{step}/{steps} val_loss:{val_loss:.4f} train_time:{ms:.0f}ms step_avg:{ms / step:.2f}ms")',
      'step:0/1395 val_loss:10.8258 train_time:0ms step_avg:nanms',
      'step:125/1395 train_time:14120ms step_avg:112.96ms',
    ),
  ).toEqual([
    [0, { val_loss: 10.8258, train_time: 0, step_avg: Number.NaN }],
    [125, { train_time: 14_120, step_avg: 112.96 }],
  ]);
});

test('a job that goes on from a checkpoint in the same log is the next attempt', () => {
  const lines = [10, 20, 30, 20, 30].map((step) => `iter ${step}: loss ${step}.5, time 1.00ms, mfu 1.00%`);
  const kinds = decodeInChunks(textLog, `${lines.join('\n')}\n`, 1).map((each) =>
    each.kind === 'row' ? each.step : each.kind,
  );
  expect(kinds).toEqual([10, 20, 30, 'attempt', 20, 30]);
});

test('a pattern of the user: its groups name the values', () => {
  const log = customTextLog(/^\[(?<time>[^\]]+)\] update (?<step>\d+): ce=(?<loss>\S+) gn=(?<grad_norm>\S+)/);
  const text =
    '[2026-11-30T09:00:00Z] update 1,000\n[1796029200] update 7: ce=2.5 gn=oops\n[2026-11-30T09:00:00Z] update 8: ce=inf gn=1\n';
  const time = Date.UTC(2026, 10, 30, 9);
  expect(decodeInChunks(log, text, 11)).toEqual([
    { kind: 'row', step: 7, time, values: { loss: 2.5 } },
    { kind: 'row', step: 8, time, values: { loss: Number.POSITIVE_INFINITY, grad_norm: 1 } },
  ]);
});
