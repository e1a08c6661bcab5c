import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { CommandQueue } from './command-queue.ts';

const fields = { by: null, reason: 'it rises', run: randomUUID() };

test('a stop that had to wait for another command is answered as one that came before the end', async () => {
  const commands = new CommandQueue(1, () => {});
  const early = commands.receive({ ...fields, id: randomUUID(), kind: 'stop' });
  commands.end({ status: 'stopped', steps: 7 }, '/runs/a');
  const late = commands.receive({ ...fields, id: randomUUID(), kind: 'stop' });
  expect(await early).toBe('stopped after 7 steps; checkpoint /runs/a');
  expect(await late).toBe(await early);
  await expect(commands.receive({ ...fields, id: randomUUID(), kind: 'checkpoint' })).rejects.toThrow(
    'had already ended',
  );
});
