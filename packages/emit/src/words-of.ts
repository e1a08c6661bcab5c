import { storableReason } from '@evenkeel/protocol';

/** What was thrown, in words; it may itself be unprintable. */
export function wordsOf(error: unknown): string {
  try {
    return storableReason(error instanceof Error ? error.message : String(error));
  } catch {
    return 'it failed, and could not say why';
  }
}
