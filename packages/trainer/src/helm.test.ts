import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { Helm } from './helm.ts';

const order = { by: null, reason: 'it rises', run: randomUUID() };

test('a stop that had to wait for another command is answered as one that came before the end', async () => {
  const helm = new Helm(1, () => {});
  const early = helm.receive({ ...order, id: randomUUID(), kind: 'stop' });
  helm.end({ status: 'stopped', steps: 7 }, '/runs/a');
  const late = helm.receive({ ...order, id: randomUUID(), kind: 'stop' });
  expect(await early).toBe('stopped after 7 steps; checkpoint /runs/a');
  expect(await late).toBe(await early);
  await expect(helm.receive({ ...order, id: randomUUID(), kind: 'checkpoint' })).rejects.toThrow('has ended');
});
