import { printable } from '@evenkeel/protocol';
import { RecordingError } from '@evenkeel/recordings';
import { rootCause } from './error-line.ts';

/** An error whose message is enough for the user: it is printed without a stack. */
export class Failure extends Error {
  override name = 'Failure';
  /** Exit code of the process; 2 for invalid input. */
  readonly exitCode: number = 1;
}

/** By name, since the server is a bundle of its own and so has classes of its own. */
const EXPECTED = ['Failure', 'UsageError', 'RecordingError', 'RefusedError', 'DirectoryHeldError'];

/** Lines of a message, and characters of each, that are printed. */
const MAX_LINES = 30;
const MAX_LINE = 2_000;

/** Prints the error and sets the exit code to 1, or to the failure's own. */
export function report(error: unknown): void {
  const lines = `evenkeel: ${describe(error)}`.split('\n', MAX_LINES);
  console.error(lines.map((line) => printable(line.slice(0, MAX_LINE))).join('\n'));
  process.exitCode = exitCodeOf(error);
}

function exitCodeOf(error: unknown): number {
  if (error instanceof RecordingError) return 2; // a recording is input
  return error instanceof Failure ? error.exitCode : 1;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = rootCause(error);
  if (EXPECTED.includes(cause.name))
    return 'field' in cause && cause.field ? `${cause.field}: ${cause.message}` : cause.message;
  // Of the cause alone: the message of the error around it has the parameters of a failed query.
  if (!('code' in cause)) return cause.stack ?? cause.message;
  // An error of the operating system or PostgreSQL: its message is enough.
  return cause.code === 'EADDRINUSE' ? `${cause.message}: choose another port with --port` : cause.message;
}
