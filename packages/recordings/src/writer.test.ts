import { appendFile, mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MAX_REASON_LENGTH, readRecordedLine } from '@evenkeel/protocol';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readRecording } from './read.ts';
import { RecordingWriter } from './writer.ts';

let folder: string;
let path: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'evenkeel-writer-'));
  path = join(folder, 'run.jsonl');
});
afterEach(() => rm(folder, { recursive: true }));

const RUN = { id: '01890a5d-ac96-774b-bcce-b302099a8057', project: 'p', name: 'n', layers: ['embedding', 'head'] };

/** Every line of the file; each must be whole. */
async function lines() {
  const text = await readFile(path, 'utf8');
  expect(text).toMatch(/\n$/);
  return text.trimEnd().split('\n').map(readRecordedLine);
}

test('a run is recorded line by line, non-finite numbers and typed arrays included', async () => {
  const writer = await RecordingWriter.open(path, { ...RUN, config: { lr: 1e-3 }, startedAt: 7 });
  writer.log({ step: 0, time: 8, loss: 0.1, layerGradVar: Float32Array.of(0.5, Infinity), custom: { evalLoss: 2 } });
  expect(await lines()).toHaveLength(2); // at once, not when it is closed
  writer.log({ step: 1, loss: Number.NaN, tevQuantiles: Float64Array.of(0, 1, 2, 3, 4, 5, 6, 7, 8) });
  await writer.finish('failed', 'loss is not finite at step 1');
  expect(await lines()).toMatchObject([
    { type: 'run', ...RUN, attempt: 1, startedAt: 7, config: { lr: 1e-3 }, tags: [], owner: null },
    { type: 'step', step: 0, time: 8, loss: 0.1, layerGradVar: [0.5, Infinity], custom: { evalLoss: 2 } },
    { type: 'step', step: 1, time: expect.any(Number), loss: Number.NaN, tevQuantiles: [0, 1, 2, 3, 4, 5, 6, 7, 8] },
    { type: 'finish', status: 'failed', reason: 'loss is not finite at step 1', endedAt: expect.any(Number) },
  ]);
});

test('a first attempt overwrites nothing', async () => {
  await appendFile(path, 'existing');
  await expect(RecordingWriter.open(path, RUN)).rejects.toMatchObject({
    name: 'RecordingError',
    message: expect.stringMatching(/run\.jsonl exists already/),
  });
  expect(await readFile(path, 'utf8')).toBe('existing');
});

test('a folder that does not exist is an error that names the file', async () => {
  const inNowhere = RecordingWriter.open(join(folder, 'nowhere', 'run.jsonl'), RUN);
  const message = expect.stringMatching(/nowhere.run\.jsonl: ENOENT/);
  await expect(inNowhere).rejects.toMatchObject({ name: 'RecordingError', message });
});

test('a later attempt appends to the file, wherever the previous one was killed', async () => {
  const first = await RecordingWriter.open(path, RUN);
  for (const step of [0, 1]) first.log({ step, time: step, loss: 2 });
  await first.finish('stopped');
  const whole = await readFile(path);
  const ends = [...whole.keys()].filter((at) => whole[at] === 0x0a);
  for (let length = whole.length; length >= 0; length--) {
    await using copy = await open(path, 'w');
    await copy.write(whole.subarray(0, length));
    const second = await RecordingWriter.open(path, { ...RUN, attempt: 2 });
    second.log({ step: 1, time: 9, loss: 3 });
    await second.finish('finished');
    // what a reader takes of the torn file is kept, also a last line that lacks its end alone
    const kept = ends.filter((end) => end <= length).length;
    const found = await lines();
    expect(found).toHaveLength(kept + 3);
    expect(found.slice(kept)).toMatchObject([
      { type: 'run', attempt: 2 },
      { type: 'step', step: 1, loss: 3 },
      { type: 'finish' },
    ]);
  }
});

test('a torn line is found however long it is', async () => {
  const first = await RecordingWriter.open(path, { ...RUN, notes: 'kept' });
  await first.finish('stopped');
  const { length } = await readFile(path);
  await appendFile(path, `{"type":"step","custom":{"${'x'.repeat(200_000)}`);
  const second = await RecordingWriter.open(path, { ...RUN, attempt: 2 });
  await second.finish('finished');
  expect((await readFile(path, 'utf8')).slice(length)).toMatch(/^\{"type":"run"/);
  expect(await lines()).toHaveLength(4);
});

test('a reader sees every step that it saw before a later attempt', async () => {
  const first = await RecordingWriter.open(path, RUN);
  for (const step of [0, 1]) first.log({ step, loss: 2 });
  await first.finish('stopped');
  const whole = await readFile(path);
  const counts = async () => (await readRecording(path, () => {})).runs.map(({ steps }) => steps);
  for (let length = 0; length <= whole.length; length++) {
    await using copy = await open(path, 'w');
    await copy.write(whole.subarray(0, length));
    const before = await counts();
    const second = await RecordingWriter.open(path, { ...RUN, attempt: 2 });
    await second.finish('finished');
    expect(await counts()).toEqual([...before, 0]);
  }
});

test('a later attempt starts a file where there is none', async () => {
  const writer = await RecordingWriter.open(path, { ...RUN, attempt: 5 });
  await writer.finish('finished');
  expect(await lines()).toMatchObject([{ type: 'run', attempt: 5 }, { type: 'finish' }]);
});

test('what cannot be recorded is refused with its field, and none of it is written', async () => {
  const writer = await RecordingWriter.open(path, RUN);
  expect(() => writer.log({ step: 0.5 })).toThrowError(expect.objectContaining({ field: 'step' }));
  expect(await lines()).toHaveLength(1);
  await writer.finish('failed', `${'x'.repeat(MAX_REASON_LENGTH - 1)}\u{1f600}`);
  expect(await lines()).toHaveLength(2);
});
