import { z } from 'zod';
import { tagIntegers } from './config.ts';
import { parse, RefusedError } from './refusal.ts';
import { attemptNumber, runDescription, runEnd, time } from './run.ts';
import { jsonNumber, stepEvent } from './step.ts';
import { name } from './text.ts';

// The format is specified in README.md, section "A recording"; keep the two in step.

const recordedRun = runDescription.extend({
  type: z.literal('run'),
  /** A UUID, or what its maker calls the run. */
  id: name,
  project: name.nullish(),
  name: name.nullish(),
  attempt: attemptNumber.default(1),
  startedAt: time.nullish(),
});
const recordedStep = stepEvent.extend({ type: z.literal('step'), time: time.nullish() });
const recordedFinish = runEnd.extend({
  type: z.literal('finish'),
  endedAt: time.nullish(),
});

/** A line of a recording, parsed: the run. */
export type RecordedRun = z.output<typeof recordedRun>;
/** A run as a recorder may describe it: what has a default may be absent. */
export type RecordedRunInput = z.input<typeof recordedRun>;
/** A line of a recording, parsed: one step. */
export type RecordedStep = z.output<typeof recordedStep>;
/** A line of a recording, parsed: the end of the run. */
export type RecordedFinish = z.output<typeof recordedFinish>;
/** Any line of a recording, parsed; `type` says which. */
export type RecordedLine = RecordedRun | RecordedStep | RecordedFinish;

const SCHEMAS = { run: recordedRun, step: recordedStep, finish: recordedFinish };
const lineType = z.object({ type: z.enum(['run', 'step', 'finish']) });

/**
 * Reads one line of a recording.
 * @throws RefusedError naming the field that is wrong; none where it is not JSON.
 */
export function readRecordedLine(text: string): RecordedLine {
  const line = asJson(text);
  return parseRecordedLine(isRun(line) ? withExactConfig(line, text) : line);
}

function isRun(line: unknown): line is object {
  return Object(line).type === 'run';
}

/** Programs that count beyond 2^53 write such integers plainly. */
function withExactConfig(line: object, text: string): unknown {
  return { ...line, config: Object(JSON.parse(tagIntegers(text))).config };
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    const bare = /[:,[]\s*-?(NaN|Infinity)\b/.test(text) ? ': NaN and Infinity stand in quotes' : '';
    throw new RefusedError('', `not a line of JSON${bare}`);
  }
}

/**
 * Parses what a line of a recording holds.
 * @throws RefusedError naming the field that is wrong.
 */
function parseRecordedLine(value: unknown): RecordedLine {
  return parse(SCHEMAS[parse(lineType, value).type], value);
}

/**
 * Writes one line of a recording, without its end, as {@link readRecordedLine} reads it.
 * @throws RefusedError naming a field that could not be read again.
 */
export function writeRecordedLine(line: RecordedRunInput | RecordedStep | RecordedFinish): string {
  const { type, ...fields } = parseRecordedLine(line);
  const write = type === 'step' ? stepNumberText : jsonNumber;
  const text = JSON.stringify({ type, ...fields }, (_, value) => (typeof value === 'number' ? write(value) : value));
  return type === 'step' ? text.replaceAll(QUOTED_ZERO, '-0') : text;
}

/** JSON has a negative zero, which JavaScript reads and does not write: a step, whose texts are all names, quotes it first. */
function stepNumberText(value: number) {
  return Object.is(value, -0) ? '-0' : jsonNumber(value);
}
/** A name stands before a colon. */
const QUOTED_ZERO = /"-0"(?!:)/g;

/**
 * Names for layers that a recording leaves unnamed, `count` values a step. A model's parts are named only where its
 * configuration counts two layers fewer: a recording then has the embedding, each block, and the head.
 */
export function layerNames(config: Record<string, unknown>, count: number): string[] {
  const hasEnds = count > 2 && config.layers === count - 2;
  return Array.from({ length: count }, (_, at) => {
    if (!hasEnds) return `layer ${at + 1}`;
    return at === 0 ? 'embedding' : at === count - 1 ? 'head' : `block ${at}`;
  });
}
