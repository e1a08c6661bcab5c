import { expect, test } from 'vitest';
import { answerTo, type CausedCommand } from './policy.ts';
import { RULES } from './rules/rules.ts';

type Case = Parameters<typeof answerTo>[0];

const STOP = { kind: 'stop' };
const HALVE = { kind: 'reduce-lr', factor: 0.5 };
const ALERT: Case['alert'] = { id: 'a', rule: 'tev-growth', severity: 'critical', attempt: 2 };
const NEWEST: Case['newest'] = { attempt: 2, hasEnded: false, policy: { warning: HALVE, critical: STOP } };

const answer = (
  alert: Partial<Case['alert']> = {},
  newest: Partial<Case['newest']> = {},
  caused: CausedCommand[] = [],
) => answerTo({ alert: { ...ALERT, ...alert }, newest: { ...NEWEST, ...newest }, caused });

test('an alert is answered by its severity', () => {
  expect(answer()).toEqual(STOP);
  expect(answer({ severity: 'warning' })).toEqual(HALVE);
  expect(answer({}, { policy: { warning: STOP, critical: { kind: 'observe' } } })).toBeNull();
});

test('an alert is answered where its rule says that it may be', () => {
  for (const { name, isAnswered } of RULES) expect(answer({ rule: name }), name).toEqual(isAnswered ? STOP : null);
  expect(answer({ rule: 'loss-spike' })).toEqual(STOP);
  expect(answer({ rule: 'stalled' })).toBeNull();
  expect(answer({ rule: 'of-another-version' })).toBeNull();
});

test('an attempt that has ended, or that another has followed, is not answered', () => {
  expect(answer({}, { hasEnded: true })).toBeNull();
  expect(answer({ attempt: 1 })).toBeNull();
});

test('a command that the alert of another rule has caused is not caused again, unless it failed or expired', () => {
  const caused = { alert: 'b', kind: 'stop', factor: null, status: 'done' };
  expect(answer({}, {}, [caused])).toBeNull();
  expect(answer({}, {}, [{ ...caused, status: 'pending' }])).toBeNull();
  expect(answer({}, {}, [{ ...caused, status: 'failed' }])).toEqual(STOP);
  expect(answer({}, {}, [{ ...caused, status: 'expired' }])).toEqual(STOP);
  expect(answer({}, {}, [{ ...caused, kind: 'checkpoint' }])).toEqual(STOP);
  expect(answer({}, {}, [{ ...caused, alert: 'a' }])).toEqual(STOP);
});

test('learning rates that are reduced by other factors are other commands', () => {
  const caused = { alert: 'b', kind: 'reduce-lr', factor: 0.5, status: 'done' };
  expect(answer({ severity: 'warning' }, {}, [caused])).toBeNull();
  expect(answer({ severity: 'warning' }, {}, [{ ...caused, factor: 0.9 }])).toEqual(HALVE);
});
