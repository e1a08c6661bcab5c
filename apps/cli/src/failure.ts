import { printable } from '@evenkeel/protocol';
import { rootCause } from './error-line.ts';

/** A failure whose message is all that a person needs: it is printed without a stack. */
export class Failure extends Error {
  override name = 'Failure';
  /** Of the process; 2 where what it was given is wrong. */
  readonly exitCode: number = 1;
}

/** By name, since the server is a bundle of its own and so has classes of its own. */
const EXPECTED = ['Failure', 'RefusedError', 'DirectoryHeldError'];

/** Lines of a message, and characters of each, that are printed. */
const MAX_LINES = 30;
const MAX_LINE = 2_000;

/** Prints what went wrong and makes the process end with status 1, or the failure's own. */
export function report(error: unknown): void {
  const lines = `evenkeel: ${describe(error)}`.split('\n', MAX_LINES);
  console.error(lines.map((line) => printable(line.slice(0, MAX_LINE))).join('\n'));
  process.exitCode = error instanceof Failure ? error.exitCode : 1;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = rootCause(error);
  if (EXPECTED.includes(cause.name))
    return 'field' in cause && cause.field ? `${cause.field}: ${cause.message}` : cause.message;
  // The cause's alone: what a failed query was given is in the message of the error around it.
  if (!('code' in cause)) return cause.stack ?? cause.message;
  // The operating system or PostgreSQL said no: its words are enough.
  return cause.code === 'EADDRINUSE' ? `${cause.message}: choose another port with --port` : cause.message;
}
