import { expect, test } from 'vitest';
import { fileStream, readFiles } from './file-stream.ts';
import { type RunState, runState } from './run-state.ts';

const NOW = 1_700_000_100_000;
const T0 = 1_700_000_000;
const EMPTY = runState.parse({});

const line = (step: number, values = `"loss":${step}`, seconds = T0 + step) =>
  `{"_step":${step},"_timestamp":${seconds},"_runtime":${step},${values}}`;
const history = (offset: number, ...content: string[]) =>
  fileStream.parse({ files: { 'wandb-history.jsonl': { offset, content } } });
const events = (...content: string[]) => ({ 'wandb-events.jsonl': { offset: 0, content } });
const event = (seconds: number) => `{"_wandb":true,"_timestamp":${seconds},"_runtime":1,"system.cpu":${seconds}}`;
const stepsOf = ({ rows }: { rows: { step: number }[] }) => rows.map(({ step }) => step);
const read = (posted: ReturnType<typeof history>, state: RunState = EMPTY) => readFiles(posted, state, NOW);

test('a post that comes again adds nothing, and one that overlaps adds what is new', () => {
  const first = read(history(0, line(0), line(1)));
  expect(stepsOf(first)).toEqual([0, 1]);
  expect(stepsOf(read(history(0, line(0), line(1)), first.state))).toEqual([]);
  const second = read(history(1, line(1), line(2), '{'), first.state);
  expect(stepsOf(second)).toEqual([2]);
  expect(second.notKept).toEqual([{ field: 'history', reason: 'is no line of JSON', count: 1 }]);
  expect(second.state).toMatchObject({
    historyLines: 4,
    historyTail: { _step: 2, _timestamp: T0 + 2, _runtime: 2 },
    newest: { step: 2, time: (T0 + 2) * 1_000 },
  });
});

test('the state that is kept as JSON goes on as it was', () => {
  const { state } = read(history(0, line(0), line(1, '"train/global_step":5,"x":1')));
  const again = runState.parse(JSON.parse(JSON.stringify(state)));
  expect(again).toEqual(state);
  expect(stepsOf(read(history(2, line(2, '"y":1')), again))).toEqual([5]);
});

test('a row whose time is no number leaves a state that can be read again', () => {
  for (const time of ['NaN', '1e308']) {
    const { rows, state } = read(history(0, `{"_step":0,"_timestamp":${time},"loss":1}`));
    expect(rows).toEqual([{ step: 0, time: null, custom: { loss: 1 } }]);
    expect(runState.parse(JSON.parse(JSON.stringify(state)))).toMatchObject({ historyLines: 1, newest: null });
  }
});

test('what is no number is counted by its name', () => {
  const { notKept, rows } = read(history(0, line(0, '"t":"x","loss":1'), line(1, '"t":"y"'), line(2 ** 41)));
  expect(notKept).toEqual([
    { field: 'custom.t', reason: 'text, lists, media and histograms are not kept', count: 2 },
    { field: 'history', reason: 'has no step in range', count: 1 },
  ]);
  expect(rows).toHaveLength(1);
});

test('system metrics are at the step of their time, and before the first row at none', () => {
  const files = {
    ...history(0, line(10, '"loss":1', T0), line(20, '"loss":1', T0 + 20)).files,
    ...events(event(T0 - 5), event(T0 + 15), event(T0 + 20), event(T0 + 90)),
  };
  const { rows, state } = read(fileStream.parse({ files }));
  expect(rows.slice(2)).toEqual([
    { step: 10, time: (T0 + 15) * 1_000, custom: { 'system/cpu': T0 + 15 } },
    { step: 20, time: (T0 + 20) * 1_000, custom: { 'system/cpu': T0 + 20 } },
    { step: 20, time: (T0 + 90) * 1_000, custom: { 'system/cpu': T0 + 90 } },
  ]);
  expect(state).toMatchObject({ eventsLines: 4, firstEvents: T0 - 5 });
});

test('lines of output have their stream and time, and keep their numbers when they come again', () => {
  const content = ['2026-01-02T03:04:05.678901 out', 'ERROR 2026-01-02T03:04:06.000000 err', 'bare', 'ERROR x'];
  const posted = fileStream.parse({ files: { 'output.log': { offset: 5, content } } });
  const { output, state } = read(posted);
  expect(output).toEqual([
    { line: 5, time: Date.UTC(2026, 0, 2, 3, 4, 5, 678), stream: 'stdout', text: 'out' },
    { line: 6, time: Date.UTC(2026, 0, 2, 3, 4, 6), stream: 'stderr', text: 'err' },
    { line: 7, time: NOW, stream: 'stdout', text: 'bare' },
    { line: 8, time: NOW, stream: 'stdout', text: 'ERROR x' },
  ]);
  expect(state.outputLines).toBe(9);
  expect(read(posted, state).output).toEqual(output);
});

test('the newest summary is kept as JSON, and one that is none leaves the former', () => {
  const post = (...content: string[]) => fileStream.parse({ files: { 'wandb-summary.json': { offset: 0, content } } });
  const { state } = read(post('{"a":1}', '{"a":NaN,"b":"NaN","c":-Infinity}'));
  expect(JSON.parse(state.summary)).toEqual({ a: 'NaN', b: 'NaN', c: '-Infinity' });
  expect(read(post('{'), state).state.summary).toBe(state.summary);
});
