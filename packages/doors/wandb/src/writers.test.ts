import { expect, test } from 'vitest';
import { type FileStream, fileStream, readFiles } from './file-stream.ts';
import { ended, type RunState, restarted, runState } from './run-state.ts';
import { beginsAttempt, turnTo } from './writers.ts';

const T0 = 1_700_000_000;

/** A process that began at a time: its rows, one a second. */
const processAt = (began: number) => {
  const row = (step: number) => `{"_step":${step},"_timestamp":${began + step},"_runtime":${step},"loss":1}`;
  return (from: number, count: number, output?: [offset: number, ...lines: string[]]): FileStream => {
    const content = Array.from({ length: count }, (_, at) => row(from + at));
    const log = output && { 'output.log': { offset: output[0], content: output.slice(1) } };
    return fileStream.parse({ files: { 'wandb-history.jsonl': { offset: from, content }, ...log } });
  };
};

/** What posts bring one after the other, all into one attempt. */
function readAll(posts: readonly FileStream[]) {
  let state: RunState = runState.parse({});
  const rows: number[] = [];
  const output: [line: number, text: string][] = [];
  for (const posted of posts) {
    const added = readFiles(posted, { ...turnTo(posted, state), isNew: false }, 0);
    rows.push(...added.rows.map(({ step }) => step));
    output.push(...added.output.map(({ line, text }): [number, string] => [line, text]));
    state = runState.parse(JSON.parse(JSON.stringify(added.state)));
  }
  return { rows, output: [...new Map(output)].map(([, text]) => text), state };
}

test('of two processes that write one run at once no line is lost, in whatever order they post', () => {
  const [a, b] = [processAt(T0), processAt(T0 + 3)];
  const posts = [a(0, 4), b(0, 4), a(4, 3), b(4, 2), a(7, 1), b(6, 5), a(8, 9)];
  const { rows } = readAll(posts);
  const expected = [...Array(17).keys(), ...Array(11).keys()];
  expect(rows.toSorted((x, y) => x - y)).toEqual(expected.toSorted((x, y) => x - y));
  const again = readAll(posts.flatMap((post) => [post, post]));
  expect(again.rows).toEqual(rows);
});

test('the output of two processes stands in the order in which it comes, and a line that is written again replaces its own', () => {
  const [a, b] = [processAt(T0), processAt(T0 + 3)];
  const { output } = readAll([
    a(0, 1, [0, 'a0', 'a1']),
    b(0, 1, [0, 'b0']),
    a(1, 1, [1, 'a1 again', 'a2']),
    b(1, 1, [0, 'b0 again', 'b1']),
    b(2, 1, [2, 'b2']),
  ]);
  expect(output).toEqual(['a0', 'a1 again', 'b0 again', 'a2', 'b1', 'b2']);
});

test('a process that began after all rows of the others begins an attempt, one that began before is beside them', () => {
  const { state } = readAll([processAt(T0)(0, 20)]);
  const begins = (posted: FileStream, from = state) => {
    const turned = turnTo(posted, from);
    return turned.isNew && beginsAttempt(posted, turned);
  };
  expect(begins(processAt(T0)(0, 1))).toBe(false);
  expect(begins(processAt(T0)(20, 1))).toBe(false);
  expect(begins(processAt(T0 + 500)(0, 1))).toBe(true);
  expect(begins(processAt(T0 + 3)(0, 1))).toBe(false);
  const events = fileStream.parse({
    files: { 'wandb-events.jsonl': { offset: 0, content: [`{"_timestamp":${T0 + 500}}`] } },
  });
  const measured = readAll([
    fileStream.parse({ files: { 'wandb-events.jsonl': { offset: 0, content: [`{"_timestamp":${T0}}`] } } }),
  ]).state;
  expect(begins(events, measured)).toBeNull();
  expect(begins(events, ended(measured))).toBe(true);
});

test('a post without lines is of no new process', () => {
  const { state } = readAll([processAt(T0)(0, 1)]);
  expect(turnTo(processAt(T0 + 500)(0, 0), state)).toBe(state);
});

test('the next attempt counts lines of output from 0, and goes on with those of a process of the attempt before', () => {
  const [a, b] = [processAt(T0), processAt(T0 + 500)];
  const before = readAll([a(0, 1, [0, 'a0', 'a1'])]).state;
  const first = readFiles(b(0, 1, [0, 'b0']), restarted(turnTo(b(0, 1, [0, 'b0']), before)), 0);
  const late = a(1, 1, [1, 'a1', 'a2']);
  const second = readFiles(late, turnTo(late, first.state), 0);
  expect([...first.output, ...second.output].map(({ line, text }) => [line, text])).toEqual([
    [0, 'b0'],
    [1, 'a2'],
  ]);
});
