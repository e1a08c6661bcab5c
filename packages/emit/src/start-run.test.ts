import { runId } from '@evenkeel/protocol';
import { expect, test } from 'vitest';
import type { StartRunOptions } from './public.ts';
import { startRun } from './start-run.ts';

const NOWHERE = {
  server: 'http://127.0.0.1:9',
  project: 'demo',
  name: 'twin',
  onWarning: () => {},
  spool: false as const,
};
const AT_ONCE = { timeoutMs: 0 };

test.each<[string, object]>([
  ['server', { server: 'localhost:4870' }],
  ['server', { server: 4870 }],
  ['server', { server: undefined }],
  ['key', { key: 'k'.repeat(201) }],
  ['project', { project: '' }],
  ['project', { project: undefined }],
  ['name', { name: 'NUL\0' }],
  ['config', { config: 5 }],
  ['owner', { owner: 7 }],
  ['tags[1]', { tags: ['fine', ''] }],
  ['notes', { notes: null }],
  ['layers', { layers: Array.from({ length: 513 }, String) }],
  ['id', { id: 'mine' }],
  ['attempt', { attempt: 0 }],
  ['startedAt', { startedAt: 'today' }],
  ['onWarning', { onWarning: 'log' }],
  ['onCommand', { onCommand: 'obey' }],
  ['spool', { spool: true }],
  ['spool', { spool: '' }],
  ['handleExit', { handleExit: 'yes' }],
  ['policy', { policy: 5 }],
  ['policy', { policy: { warning: { kind: 'checkpoint' } } }],
  ['policy', { policy: { critical: { kind: 'reduce-lr', factor: 0.5 } } }],
  ['policy.critical.factor', { policy: { critical: { kind: 'reduce-lr', factor: 1 } }, onCommand: () => {} }],
])('startRun rejects a wrong %s by name', async (field, wrong) => {
  const rejection = expect(startRun({ ...NOWHERE, ...wrong } as StartRunOptions)).rejects;
  await rejection.toThrow(TypeError);
  await rejection.toThrow(`startRun: ${field}: `);
});

test('startRun rejects what is no options object', async () => {
  await expect(startRun(null as unknown as StartRunOptions)).rejects.toThrow('startRun: options: must be an object');
});

test('a circular config is named in the error', async () => {
  const config: Record<string, unknown> = {};
  config.self = config;
  await expect(startRun({ ...NOWHERE, config })).rejects.toThrow('startRun: config: Converting circular structure');
});

test('a run gets an id and the first attempt, or those it is given', async () => {
  const fresh = await startRun(NOWHERE);
  expect(runId.parse(fresh.id)[14]).toBe('7');
  expect(fresh.attempt).toBe(1);
  const resumed = await startRun({ ...NOWHERE, id: fresh.id.toUpperCase(), attempt: 2 });
  expect([resumed.id, resumed.attempt]).toEqual([fresh.id, 2]);
  await Promise.all([fresh, resumed].map((run) => run.finish('stopped', undefined, AT_ONCE)));
});
