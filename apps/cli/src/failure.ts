import { DirectoryHeldError } from '@evenkeel/db';
import { RefusedError } from '@evenkeel/protocol';

/** A failure whose message is all that a person needs: it is printed without a stack. */
export class Failure extends Error {}

/** Prints what went wrong and makes the process end with status 1. */
export function report(error: unknown): void {
  console.error(`evenkeel: ${describe(error)}`);
  process.exitCode = 1;
}

function describe(error: unknown): string {
  if (error instanceof RefusedError) return `${error.field}: ${error.message}`;
  if (error instanceof Failure || error instanceof DirectoryHeldError) return error.message;
  if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') {
    return `${error.message}: something else listens there; choose another with --port`;
  }
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
