import type { ConsoleStream } from '@evenkeel/protocol';

/** A line of the script's output, as far as W&B's client describes it. */
export interface OutputLine {
  /** Counted over the whole run, from 0. */
  line: number;
  /** Milliseconds since 1970. */
  time: number;
  stream: ConsoleStream;
  text: string;
}

/** `ERROR ` for standard error, then the time in UTC with microseconds. */
const LINE = /^(ERROR )?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}) (.*)$/s;

/** Reads a line of `output.log`. @param now its time where it has none, in milliseconds since 1970. */
export function readOutputLine(sent: string, line: number, now: number): OutputLine {
  const [, error, written, text] = LINE.exec(sent) ?? [];
  const time = Date.parse(`${written}Z`);
  if (text === undefined || Number.isNaN(time)) return { line, time: now, stream: 'stdout', text: sent };
  return { line, time, stream: error === undefined ? 'stdout' : 'stderr', text };
}
