import { expect, test } from 'vitest';
import type { Position } from '../format.ts';
import { rowsIn } from '../testing.ts';
import { trainerState } from './trainer-state.ts';

const history = (...steps: number[]) => steps.map((step) => ({ epoch: step / 10, loss: 10 / step, step }));
const write = (log_history: object[]) =>
  JSON.stringify({ global_step: 1, log_history, stateful_callbacks: {} }, null, 2);

/** Reads a file as one that replaces what was read before. */
function read(text: string, from: Position | null) {
  const decoder = trainerState.decode(from && JSON.parse(JSON.stringify(from)));
  const found = [...decoder.push(Buffer.from(text.slice(0, 40))), ...decoder.push(Buffer.from(text.slice(40)))];
  return { found, position: decoder.position, end: () => decoder.end() };
}

test('each checkpoint brings what is new in it', () => {
  const first = read(write(history(1, 2)), null);
  expect(rowsIn(first.found)).toEqual([
    [1, { epoch: 0.1, loss: 10 }],
    [2, { epoch: 0.2, loss: 5 }],
  ]);
  const second = read(`${write([...history(1, 2), { step: 2, eval_loss: Number.NaN, lists: [1] }])}\n`, first.position);
  expect(second.found).toEqual([{ kind: 'lost', what: 'values', count: 1, reason: 'a list has no place in a step' }]);
  expect(
    rowsIn(read(write([...history(1, 2), { step: 2, eval_loss: 7 }, ...history(3)]), first.position).found),
  ).toEqual([
    [2, { eval_loss: 7 }],
    [3, { epoch: 0.3, loss: 10 / 3 }],
  ]);
});

test('NaN as Python writes it is a value', () => {
  const { found } = read('{"log_history": [{"step": 4, "loss": NaN, "grad_norm": Infinity}], "is_nan": "NaN"}', null);
  expect(rowsIn(found)).toEqual([[4, { loss: Number.NaN, grad_norm: Number.POSITIVE_INFINITY }]]);
});

test('a history that is another one is of the next attempt', () => {
  const { position } = read(write(history(1, 2, 3)), null);
  const { found } = read(write([...history(1), { step: 2, loss: 99 }]), position);
  expect(found.map((each) => (each.kind === 'row' ? each.step : each.kind))).toEqual(['attempt', 1, 2]);
});

test('a half written file waits, and is lost only at its end', () => {
  const text = write(history(1, 2));
  const { found, position, end } = read(text.slice(0, -30), null);
  expect([found, position.bytes]).toEqual([[], 0]);
  expect(end()).toEqual([{ kind: 'lost', what: 'files', count: 1, reason: 'not the state of a trainer' }]);
  expect(read(text, position).end()).toEqual([]);
});

test('the checkpoints of a folder are one run', () => {
  expect(trainerState.runOf('out/gpt2/checkpoint-500/trainer_state.json')).toEqual({ key: 'out/gpt2', name: 'gpt2' });
  expect(trainerState.runOf('out/gpt2/trainer_state.json')).toEqual({ key: 'out/gpt2', name: 'gpt2' });
  expect(trainerState.runOf('checkpoint-500/trainer_state.json')).toEqual({ key: '', name: '' });
});
