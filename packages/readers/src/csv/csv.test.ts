import { expect, test } from 'vitest';
import type { Found } from '../format.ts';
import { decodeInChunks, lossesOf, rowsIn } from '../testing.ts';
import { csv } from './csv.ts';

const found = (text: string, chunk = 1 << 20) => decodeInChunks(csv, text, chunk);

test('metrics.csv of Lightning: what a row did not report is not there', () => {
  const text = 'epoch,step,train_loss,val_loss\r\n0,4,2.5,\r\n0,9,,2.25\r\n1,9,1e-3,nan\r\n';
  expect(rowsIn(found(text))).toEqual([
    [4, { epoch: 0, train_loss: 2.5 }],
    [9, { epoch: 0, val_loss: 2.25 }],
    [9, { epoch: 1, train_loss: 0.001, val_loss: Number.NaN }],
  ]);
});

test.each([1, 3, 7, 1000])('chunks of %d bytes give the same rows', (chunk) => {
  const text = '\uFEFF"a ""loss""",iter,"note\nof it"\n1,0,2\n-inf,1,"3"\n"4.5",2,\n7,3,8';
  expect(rowsIn(found(text, chunk))).toEqual([
    [0, { 'a "loss"': 1, 'note\nof it': 2 }],
    [1, { 'a "loss"': Number.NEGATIVE_INFINITY, 'note\nof it': 3 }],
    [2, { 'a "loss"': 4.5 }],
    [3, { 'a "loss"': 7, 'note\nof it': 8 }],
  ]);
});

test('times are seconds, milliseconds or dates; durations are values', () => {
  const timeOf = (name: string, cell: string) => {
    const row = found(`step,${name},loss\n1,${cell},2\n`).find(
      (each): each is Found & { kind: 'row' } => each.kind === 'row',
    );
    return [row?.time, row?.values];
  };
  const at = Date.UTC(2026, 10, 30, 9, 0, 0, 500);
  expect(timeOf('time', String(at / 1000))).toEqual([at, { loss: 2 }]);
  expect(timeOf('timestamp', String(at))).toEqual([at, { loss: 2 }]);
  expect(timeOf('wall_time', new Date(at).toISOString())).toEqual([at, { loss: 2 }]);
  expect(timeOf('time', '12.5')).toEqual([null, { loss: 2, time: 12.5 }]);
});

test('without a column of steps each row is a step', () => {
  expect(rowsIn(found('loss;lr\n3;0.1\n2;0.2\n', 5))).toEqual([
    [0, { loss: 3, lr: 0.1 }],
    [1, { loss: 2, lr: 0.2 }],
  ]);
});

test('without a header columns are counted', () => {
  expect(rowsIn(found('1,2\n3,4\n'))).toEqual([
    [0, { 'column 1': 1, 'column 2': 2 }],
    [1, { 'column 1': 3, 'column 2': 4 }],
  ]);
});

test('a job that goes on from a checkpoint and appends, with its header again, is the next attempt', () => {
  const text = 'step,loss\n1,3\n2,2\n3,1\nstep,loss\n2,2.5\n3,1.5\n';
  expect(found(text, 4).map((each) => (each.kind === 'row' ? each.step : each.kind))).toEqual([
    1,
    2,
    3,
    'attempt',
    2,
    3,
  ]);
});

test('rows of an evaluation that counts otherwise are no new attempt, nor are rows that come late', () => {
  const text =
    'step,time,loss,eval\n10,1764493200,3,\n20,1764493300,2,\n1,1764493301,,9\n15,1764493250,2.5,\n30,1764493400,1,\n';
  expect(found(text).filter(({ kind }) => kind !== 'row')).toEqual([]);
});

test('what is no number is counted, and the rest of its row is kept', () => {
  expect(found('step,loss,phase\n1,2,train\nx,3,\n1.5,4,\n')).toEqual([
    { kind: 'row', step: 1, time: null, values: { loss: 2 } },
    { kind: 'lost', what: 'cells', count: 1, reason: 'not a number' },
    { kind: 'row', step: 1, time: null, values: { loss: 3 } },
    { kind: 'lost', what: 'cells', count: 1, reason: 'not a number' },
    { kind: 'lost', what: 'rows', count: 1, reason: 'its step is not a whole number' },
  ]);
});

test('tables of other things are left alone', () => {
  const matches = (text: string) => csv.matches('a/metrics.csv', Buffer.from(text));
  expect(['step,acc\n', 'train_loss,x\n', '\uFEFF"Iteration"\tother\n'].map(matches)).toEqual([true, true, true]);
  expect(['prompt,answer\n', '1,2\n', ''].map(matches)).toEqual([false, false, false]);
  expect(csv.matches('a/metrics.txt', Buffer.from('step,loss\n'))).toBe(false);
});

test('a file with a common name is of its folder, another is a run of its own', () => {
  expect(csv.runOf('lightning_logs/version_0/metrics.csv')).toEqual({
    key: 'lightning_logs/version_0',
    name: 'version_0',
  });
  expect(csv.runOf('all/lr 3e-4.csv')).toEqual({ key: 'all/lr 3e-4', name: 'lr 3e-4' });
  expect(csv.runOf('metrics.csv')).toEqual({ key: '', name: '' });
});

test('a record whose quotes do not match is lost, and the reader goes on', () => {
  const text = 'step,loss,note\n1,3,5" disk\n2,2,3" disk\n3,1,\n4,"0,\n';
  const all = found(text);
  expect(rowsIn(all)).toContainEqual([3, { loss: 1 }]);
  expect(all.filter(({ kind }) => kind === 'lost')).toContainEqual(
    expect.objectContaining({ what: 'records', reason: 'their quotes do not match' }),
  );
  expect(csv.matches('a.csv', Buffer.from('step,"lo'))).toBe(false);
});

test('a long cell that begins as a number is none at once', () => {
  expect(lossesOf(found(`step,loss\n1,${'1'.repeat(1_000_000)}x\n`))).toEqual({ 'cells: not a number': 1 });
});

test('a quote that ends after very many lines is read at once', () => {
  expect(rowsIn(found(`step,loss,note\n1,2,"${'0,1,2\n'.repeat(600_000)}"\n2,1,\n`))).toEqual([
    [1, { loss: 2 }],
    [2, { loss: 1 }],
  ]);
});
