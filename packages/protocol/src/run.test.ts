import { describe, expect, test } from 'vitest';
import { mergeConfig } from './config.ts';
import { parse, RefusedError } from './refusal.ts';
import { runDescribe, runFinish, runStart } from './run.ts';

const START = { run: '01890a5d-ac96-774b-bcce-b302099a8057', attempt: 1, startedAt: 0, project: 'p', name: 'n' };

function refusal(act: () => unknown) {
  try {
    act();
  } catch (error) {
    if (error instanceof RefusedError) return error.toRefusal();
    throw error;
  }
  throw new Error('taken, not refused');
}

/** JSON as deep as the parser of a socket takes it. */
const nested = (depth: number) => JSON.parse(`${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`);

describe('run:start', () => {
  test('what it need not say has defaults', () => {
    const policy = { warning: { kind: 'observe' }, critical: { kind: 'observe' } };
    const described = { config: {}, owner: null, tags: [], notes: '', layers: [], policy };
    expect(parse(runStart, START)).toEqual({ ...START, ...described });
  });

  test('a run has one spelling', () => {
    expect(parse(runStart, { ...START, run: START.run.toUpperCase() }).run).toBe(START.run);
  });

  test('what the protocol does not name is left out', () => {
    expect(parse(runStart, { ...START, color: 'red' })).not.toHaveProperty('color');
  });

  test('at the limits', () => {
    const full = {
      ...START,
      name: 'x'.repeat(200),
      tags: Array(64).fill('x'.repeat(100)),
      notes: 'x'.repeat(65_536),
      layers: Array(512).fill('layer'),
      config: { text: 'x'.repeat(65_536 - '{"text":""}'.length) },
    };
    expect(parse(runStart, full)).toMatchObject(full);
    expect(parse(runStart, { ...START, config: nested(64) }).config).toEqual(nested(64));
  });

  test.each([
    ['run', { run: 'mine' }],
    ['run', { run: undefined }],
    ['attempt', { attempt: 0 }],
    ['attempt', { attempt: 1.5 }],
    ['startedAt', { startedAt: Number.NaN }],
    ['startedAt', { startedAt: '2026-01-01' }],
    ['project', { project: '' }],
    ['name', { name: 'half \ud83d' }],
    ['name', { name: 'x'.repeat(201) }],
    ['config', { config: [] }],
    ['config', { config: { text: 'x'.repeat(65_536) } }],
    ['config', { config: { 'a\0': 1 } }],
    ['config', { config: { a: ['\udc00'] } }],
    ['config', { config: nested(65) }],
    ['config', { config: nested(20_000) }],
    ['owner', { owner: '' }],
    ['tags', { tags: Array(65).fill('t') }],
    ['tags[1]', { tags: ['t', ''] }],
    ['tags[0]', { tags: ['x'.repeat(101)] }],
    ['notes', { notes: 'x'.repeat(65_537) }],
    ['layers', { layers: Array(513).fill('layer') }],
    ['layers[1]', { layers: ['a', 7] }],
  ])('a wrong %s is refused by its field', (field, wrong) => {
    expect(refusal(() => parse(runStart, { ...START, ...wrong }))).toEqual({
      error: expect.stringMatching(/./),
      field,
      retry: false,
    });
  });

  test.each([null, 7, 'start', []])('%j is refused as a whole', (value) => {
    expect(refusal(() => parse(runStart, value)).field).toBe('');
  });
});

describe('run:describe', () => {
  const described = { run: START.run, name: 'n', config: { lr: 1 }, tags: ['t'], notes: '' };

  test('what it does not name stays away', () => {
    expect(parse(runDescribe, described)).toEqual(described);
    expect(parse(runDescribe, { run: START.run, attempt: 2, tags: [] })).toEqual({
      run: START.run,
      attempt: 2,
      tags: [],
    });
  });

  test.each([
    ['run', { run: 'mine' }],
    ['attempt', { attempt: 0 }],
    ['name', { name: '' }],
    ['config', { config: [] }],
    ['config', { config: nested(65) }],
    ['tags[0]', { tags: [''] }],
    ['notes', { notes: 'x'.repeat(65_537) }],
    ['config', { name: undefined, config: undefined, tags: undefined, notes: undefined }],
  ])('a wrong %s is refused by its field', (field, wrong) => {
    expect(refusal(() => parse(runDescribe, { ...described, ...wrong }))).toMatchObject({ field, retry: false });
  });

  test('a key of the configuration replaces the one of its name, whole', () => {
    const known = JSON.parse('{"model":{"dim":8,"heads":2},"lr":1,"__proto__":{"kept":true}}');
    const merged = mergeConfig(known, { model: { dim: 16 }, seed: 7 });
    expect(JSON.stringify(merged)).toBe('{"model":{"dim":16},"lr":1,"__proto__":{"kept":true},"seed":7}');
  });

  test('a configuration that is too long together with what the run has is refused', () => {
    const half = 'x'.repeat(40_000);
    expect(refusal(() => mergeConfig({ a: half }, { b: half }))).toMatchObject({ field: 'config', retry: false });
    expect(mergeConfig({ a: half }, { a: 'short' })).toEqual({ a: 'short' });
  });
});

test('run:finish takes the statuses that a client may give', () => {
  const finish = { run: START.run, attempt: 1 };
  for (const status of ['finished', 'stopped', 'failed']) {
    expect(parse(runFinish, { ...finish, status })).toEqual({ ...finish, status, reason: null });
  }
  for (const status of ['running', 'lost', 'done', undefined]) {
    expect(refusal(() => parse(runFinish, { ...finish, status })).field).toBe('status');
  }
  expect(refusal(() => parse(runFinish, { ...finish, status: 'failed', reason: 'x'.repeat(2_001) })).field).toBe(
    'reason',
  );
  expect(parse(runFinish, { ...finish, status: 'failed', endedAt: 7 }).endedAt).toBe(7);
  expect(refusal(() => parse(runFinish, { ...finish, status: 'failed', endedAt: -1 })).field).toBe('endedAt');
});
