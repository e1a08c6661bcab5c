import { setValue } from '../set-value.ts';
import { absoluteTime, dateTime, numberOf, type Row } from '../text/rows.ts';

/** How a program prints its metrics; null for a line that has none. */
export type LinePattern = (line: string) => Row | null;

const NUMBER = String.raw`[+-]?(?:\d+(?:,\d{3})*\.?\d*|\.\d+)(?:e[+-]?\d+)?|nan|[+-]?inf(?:inity)?`;

/** ` iteration   100/ 1000 | consumed samples: 1600 | lm loss: 7.1E+00 | …` */
const megatron: LinePattern = (line) => {
  const match = /\biteration\s+(?<step>\d+)\/\s*(?:\d+|infinity) \|(?<fields>.*)/.exec(line);
  return match && rowOf(line, match, MEGATRON_FIELD, (name) => name);
};
const MEGATRON_FIELD = fields(String.raw`([^|:]*?[^|:\s]):?\s+`, String.raw`\s*(?=\||$)`);

/** ` validation loss at iteration 1000 | lm loss value: 2.7E+00 | lm loss PPL: 1.5E+01 |`, also `… on test set |` */
const megatronValidation: LinePattern = (line) => {
  const match = /\bvalidation loss at iteration (?<step>\d+)(?: on (?<set>\w+) set)? \|(?<fields>.*)/.exec(line);
  const set = match?.groups?.set ?? 'validation';
  return match && rowOf(line, match, MEGATRON_FIELD, (name) => `${name.replace(/ value$/, '')} ${set}`);
};

/** `step: 10  loss: 8.1234  grad_norm: 1.2  memory: 5.2GiB(10.1%)  tps: 1,234`, also `validate step: …` */
const torchtitan: LinePattern = (line) => {
  const match = /(?<validate>\bvalidate )?\bstep:\s+(?<step>\d+)\s+(?<fields>loss:.*)/.exec(line);
  const isValidation = match?.groups?.validate !== undefined;
  return match && rowOf(line, match, TORCHTITAN_FIELD, (name) => (isValidation ? `validation ${name}` : name));
};
const TORCHTITAN_FIELD = fields(String.raw`([\w/]+):\s+`, '');

/** `iter 100: loss 4.1234, time 120.00ms, mfu 10.00%` */
const nanoGpt: LinePattern = (line) => {
  const match = /\biter (?<step>\d+): (?<fields>loss .*)/.exec(line);
  return match && rowOf(line, match, NANOGPT_FIELD, (name) => name);
};
/** `step 250: train loss 3.9, val loss 4.0`: estimates over many batches, so not the loss of the step. */
const nanoGptEstimate: LinePattern = (line) => {
  const match = /\bstep (?<step>\d+): (?<fields>train loss .*)/.exec(line);
  return match && rowOf(line, match, NANOGPT_FIELD, (name) => (name === 'train loss' ? 'estimated train loss' : name));
};
const NANOGPT_FIELD = fields(String.raw`(?:^|, )([a-z][\w ]*?) `, '');

/** `step:125/1395 val_loss:4.2 train_time:12345ms step_avg:98.76ms` */
const moddedNanoGpt: LinePattern = (line) => {
  const match = /\bstep:(?<step>\d+)\/\d+ (?<fields>\w+:.*)/.exec(line);
  return match && rowOf(line, match, MODDED_FIELD, (name) => name);
};
const MODDED_FIELD = fields(String.raw`(\w+):`, '');

/** In the order in which they are tried. */
export const LINE_PATTERNS: readonly LinePattern[] = [
  ...[megatron, megatronValidation, torchtitan, nanoGpt, nanoGptEstimate, moddedNanoGpt],
];

/** A pattern of the user's: its groups name what they match; `step` and `time` are the step and the time. */
export function customPattern(expression: RegExp): LinePattern {
  return (line) => {
    const groups = expression.exec(line)?.groups;
    if (!groups) return null;
    const { step, time, ...values } = groups;
    return {
      step: step === undefined ? null : numberOf(step),
      time: time === undefined ? timeOf(line) : givenTime(time),
      values: numbersIn(values),
    };
  };
}

function givenTime(text: string): number | null {
  const value = numberOf(text);
  return value === null ? timeOf(text) : absoluteTime(value);
}

/** An expression whose matches are fields: the first group is the name, the second the number. */
function fields(name: string, after: string): RegExp {
  return new RegExp(`${name}(${NUMBER})${after}`, 'gi');
}

function rowOf(line: string, { groups }: RegExpExecArray, field: RegExp, rename: (name: string) => string): Row | null {
  const texts: Record<string, string> = {};
  for (const [, name = '', value = ''] of (groups?.fields ?? '').matchAll(field))
    setValue(texts, rename(name.trim()), value);
  const values = numbersIn(texts);
  if (Object.keys(values).length === 0) return null;
  return { step: Number(groups?.step), time: timeOf(line), values };
}

/** Numbers by name, such as 1234 for `1,234`; what is none is left out. */
function numbersIn(texts: Record<string, string | undefined>): Record<string, number> {
  const values: Record<string, number> = {};
  for (const [name, text] of Object.entries(texts)) {
    const value = numberOf((text ?? '').replaceAll(',', ''));
    if (value !== null) setValue(values, name, value);
  }
  return values;
}

/** The time that logging puts before a line, in this machine's zone where it names none. */
function timeOf(line: string): number | null {
  const match = /\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:?\d\d)?/.exec(line);
  return match && dateTime(match[0]);
}
