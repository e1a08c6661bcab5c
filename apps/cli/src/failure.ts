/** A failure whose message is all that a person needs: it is printed without a stack. */
export class Failure extends Error {
  override name = 'Failure';
}

/** By name, since the server is a bundle of its own and so has classes of its own. */
const EXPECTED = ['Failure', 'RefusedError', 'DirectoryHeldError'];

/** Prints what went wrong and makes the process end with status 1. */
export function report(error: unknown): void {
  console.error(`evenkeel: ${describe(error)}`);
  process.exitCode = 1;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if ('code' in error && error.code === 'EADDRINUSE') {
    return `${error.message}: something else listens there; choose another port with --port`;
  }
  if (!EXPECTED.includes(error.name)) return error.stack ?? error.message;
  return 'field' in error && error.field ? `${error.field} ${error.message}` : error.message;
}
