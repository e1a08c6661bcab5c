import type { ServerEvent } from '@evenkeel/protocol';
import { expect, test } from 'vitest';
import { LocalEventPort } from './event-port.ts';

const KEYS: ServerEvent = { kind: 'keys changed' };
const RULES: ServerEvent = { kind: 'rules changed', project: 'p' };

function newPort() {
  const problems: string[] = [];
  const port = new LocalEventPort((_level, message, error) => problems.push(`${message}: ${error}`));
  return { port, problems };
}

test('all who subscribe receive every event, in order, until they end it', () => {
  const { port } = newPort();
  const received: string[] = [];
  const ends = ['a', 'b'].map((name) => port.subscribe(({ kind }) => received.push(`${name} ${kind}`)));
  port.publish(KEYS);
  port.publish(RULES);
  ends[0]?.();
  port.publish(KEYS);
  expect(received).toEqual([
    'a keys changed',
    'b keys changed',
    'a rules changed',
    'b rules changed',
    'b keys changed',
  ]);
});

test('who fails at an event harms neither who published it nor the others', () => {
  const { port, problems } = newPort();
  const received: string[] = [];
  port.subscribe(() => {
    throw new Error('full');
  });
  port.subscribe(({ kind }) => received.push(kind));
  port.publish(KEYS);
  expect(received).toEqual(['keys changed']);
  expect(problems).toEqual(['acting on the event "keys changed" failed: Error: full']);
});

test('one function that subscribes twice receives twice, and ends each by itself', () => {
  const { port } = newPort();
  let count = 0;
  const receive = () => {
    count++;
  };
  const end = port.subscribe(receive);
  port.subscribe(receive);
  port.publish(KEYS);
  end();
  port.publish(KEYS);
  expect(count).toBe(3);
});
