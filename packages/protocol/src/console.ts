import { z } from 'zod';
import { MAX_CONSOLE_LINE_LENGTH, MAX_CONSOLE_LINES, MAX_STEP } from './limits.ts';
import { attemptNumber, runId, time } from './run.ts';
import { storableText } from './text.ts';

/** Where a line of a program's output went. */
export const CONSOLE_STREAMS = ['stdout', 'stderr'] as const;
/** See {@link CONSOLE_STREAMS}. */
export type ConsoleStream = (typeof CONSOLE_STREAMS)[number];

const count = z.number().int().min(0).max(MAX_STEP);

/** One line of a run's output. What cannot be kept of its text is cut off and counted, rather than refused. */
export const consoleLine = z
  .object({
    /** Counted from 0 by whoever sends it: a line that is sent again replaces its former text. */
    line: count,
    /** When it was last written, in milliseconds since 1970. */
    time,
    stream: z.enum(CONSOLE_STREAMS).default('stdout'),
    /** Without a line feed at its end; escape sequences of terminals stay. */
    text: z.string(),
    /** Characters that the sender has cut off its end. */
    cut: count.default(0),
  })
  .transform(({ text, cut, ...line }) => {
    const shown = afterCarriageReturns(text);
    const kept = storableText(shown, MAX_CONSOLE_LINE_LENGTH).replaceAll('\n', '␊');
    return { ...line, text: kept, cut: cut + shown.length - kept.length };
  });
/** A parsed {@link consoleLine}: its text fits {@link MAX_CONSOLE_LINE_LENGTH} and has no control of lines in it. */
export type ConsoleLine = z.infer<typeof consoleLine>;

/** `run:console`: lines that the program of an attempt has written. Idempotent: see {@link consoleLine}. */
export const runConsole = z.object({
  run: runId,
  attempt: attemptNumber,
  lines: z.array(consoleLine).min(1).max(MAX_CONSOLE_LINES),
});
/** A parsed {@link runConsole}. */
export type RunConsole = z.infer<typeof runConsole>;

/** What a terminal shows at the end of a line that was written over, such as a progress bar: its last state. */
function afterCarriageReturns(text: string): string {
  let end = text.length;
  while (end > 0 && isLineEnd(text[end - 1])) end -= 1;
  return text.slice(text.lastIndexOf('\r', end - 1) + 1, end);
}

function isLineEnd(character: string | undefined): boolean {
  return character === '\r' || character === '\n';
}
