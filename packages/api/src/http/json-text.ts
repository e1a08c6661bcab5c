import { jsonNumber } from '@evenkeel/protocol';

/** An answer as JSON, in which NaN and infinities are text, as on the wire. */
export function jsonText(answer: unknown): string {
  return JSON.stringify(answer, (_, value) => (typeof value === 'number' ? jsonNumber(value) : value));
}
