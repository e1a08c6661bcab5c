import { expect, test } from 'vitest';
import { policyOf, readConfig, writeConfig } from './run-config.ts';

test('values are unwrapped, and what belongs to W&B is apart', () => {
  const own = '{"value":{"m":[{"1":"s"},{"2":"a/*","5":1}],"cli_version":"0.31.0"}}';
  expect(
    readConfig(`{"lr":{"value":0.1},"big":{"value":9007199254740993},"n":{"value":null},"_wandb":${own}}`),
  ).toEqual({
    config: { lr: 0.1, big: { $number: '9007199254740993' }, n: null },
    stepRules: [{ name: 'a/', isPrefix: true, step: 's' }],
  });
  expect(readConfig('{}')).toEqual({ config: {}, stepRules: null });
});

test.each(['', '[]', '1', '{"a":NaN}'])('%j is no configuration', (text) => expect(readConfig(text)).toBeNull());

test('a configuration is written as a client reads it', () => {
  const config = { lr: 0.1, big: { $number: '9007199254740993' }, bad: { $number: 'NaN' }, text: '{"$number":"1"}' };
  expect(writeConfig(config)).toBe(
    '{"lr":{"value":0.1},"big":{"value":9007199254740993},"bad":{"value":null},"text":{"value":"{\\"$number\\":\\"1\\"}"}}',
  );
});

test('a policy is asked for by a tag, or by the configuration, which counts more', () => {
  const STOP = { critical: { kind: 'stop' } };
  expect(policyOf({}, [])).toBeUndefined();
  expect(policyOf({ evenkeel: 'stop' }, ['stop'])).toBeUndefined();
  expect(policyOf({}, ['a', 'evenkeel:stop'])).toEqual(STOP);
  expect(policyOf({ evenkeel: { policy: 'stop' } }, [])).toEqual(STOP);
  expect(policyOf({ evenkeel: { policy: 'observe' } }, ['evenkeel:stop'])).toBeUndefined();
  expect(policyOf({ evenkeel: { policy: { warning: { kind: 'stop' } } } }, [])).toEqual({
    warning: { kind: 'stop' },
    critical: { kind: 'observe' },
  });
});
