import { expect, test } from 'vitest';
import { warnWithCount } from './warn.ts';

function collected() {
  const messages: string[] = [];
  return { messages, warn: warnWithCount((message) => void messages.push(message)) };
}

test('a warning that repeats is passed on at the first, 10th, 100th and 1,000th time, with its count', () => {
  const { messages, warn } = collected();
  for (let time = 1; time <= 2_000; time++) warn(`no. ${time}`, 'a kind');
  warn('another');
  expect(messages).toEqual([
    'no. 1',
    'no. 10 (10 times so far)',
    'no. 100 (100 times so far)',
    'no. 1000 (1,000 times so far)',
    'another',
  ]);
});

test('a kind that is over is counted from the start again', () => {
  const { messages, warn } = collected();
  for (let time = 1; time <= 9; time++) warn('away', 'kind');
  warn.forget('kind');
  for (let time = 1; time <= 9; time++) warn('away', 'kind');
  expect(messages).toEqual(['away', 'away']);
});

test('a server that answers something new every time floods neither the output nor the memory', () => {
  const { messages, warn } = collected();
  for (let at = 0; at < 10_100; at++) warn(`new ${at}`);
  expect(messages.slice(100)).toEqual([
    'new 100',
    'new 109 (10 warnings of further kinds so far)',
    'new 199 (100 warnings of further kinds so far)',
    'new 1099 (1,000 warnings of further kinds so far)',
    'new 10099 (10,000 warnings of further kinds so far)',
  ]);
});

test('a warning that cannot be shown is not thrown at the trainer', () => {
  const warn = warnWithCount(() => {
    throw new Error('no console');
  });
  expect(() => warn('anything')).not.toThrow();
});
