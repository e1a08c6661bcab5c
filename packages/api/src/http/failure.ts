import { isTimeout } from '@evenkeel/db';
import { RefusedError } from '@evenkeel/protocol';

/** What is asked for does not exist. */
export class NotFound extends Error {}

/** What a failed request is answered with; null where the failure is the server's. */
export function failureOf(error: unknown): { status: 400 | 404 | 504; error: string } | null {
  if (error instanceof NotFound) return { status: 404, error: error.message };
  if (error instanceof RefusedError) {
    const { field, message } = error;
    return { status: 400, error: field ? `${field}: ${message}` : message };
  }
  if (!isTimeout(error)) return null;
  return { status: 504, error: 'reading this took the database too long: ask for less, or try again' };
}
