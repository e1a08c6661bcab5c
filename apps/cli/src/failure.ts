/** A failure whose message is all that a person needs: it is printed without a stack. */
export class Failure extends Error {
  override name = 'Failure';
  /** Of the process; 2 where what it was given is wrong. */
  readonly exitCode: number = 1;
}

/** By name, since the server is a bundle of its own and so has classes of its own. */
const EXPECTED = ['Failure', 'RefusedError', 'DirectoryHeldError'];

/** Prints what went wrong and makes the process end with status 1, or the failure's own. */
export function report(error: unknown): void {
  console.error(`evenkeel: ${describe(error)}`);
  process.exitCode = error instanceof Failure ? error.exitCode : 1;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = rootCause(error);
  if (EXPECTED.includes(cause.name))
    return 'field' in cause && cause.field ? `${cause.field}: ${cause.message}` : cause.message;
  if (!('code' in cause)) return error.stack ?? error.message;
  // The operating system or PostgreSQL said no: its words are enough.
  return cause.code === 'EADDRINUSE' ? `${cause.message}: choose another port with --port` : cause.message;
}

/** The error that the others were raised for; the first of several that happened at once. */
function rootCause(error: Error): Error {
  const [first] = error instanceof AggregateError ? error.errors : [error.cause];
  return first instanceof Error ? rootCause(first) : error;
}
