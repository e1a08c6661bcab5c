import { z } from 'zod';
import { MAX_NAME_LENGTH, MAX_REASON_LENGTH } from './limits.ts';

// PostgreSQL stores neither NUL nor half a surrogate pair.
const unstorable = /\p{Surrogate}|\0/u;

/** Unicode text that every part of Evenkeel can store, of at most `max` characters. */
export const text = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => !unstorable.test(value), 'contains a NUL character or half a surrogate pair');

/** A name of 1 to {@link MAX_NAME_LENGTH} characters that every part of Evenkeel can store. */
export const name = text(MAX_NAME_LENGTH).min(1);

/** Whether every string in a JSON value, keys included, can be stored. */
export function isStorable(json: string): boolean {
  return !/\\u0000|\\u[dD][89a-fA-F][0-9a-fA-F]{2}/.test(json.replaceAll('\\\\', ''));
}

/** What can be stored of any string, at most so long. */
export function storableText(text: string, maxLength: number): string {
  return text.slice(0, maxLength).replaceAll(new RegExp(unstorable, 'gu'), '\uFFFD');
}

/** What can be stored of a reason, which is often an error's long stack. */
export function storableReason(reason: string): string {
  return storableText(reason, MAX_REASON_LENGTH);
}

// What moves a terminal's cursor or colors it, ends a line, or turns the direction of what follows.
const unprintable = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;
const NAMED: Record<string, string> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Text from elsewhere, such as a run's name, as a terminal or a log may show it: on one line, with control characters,
 * line separators and bidirectional controls escaped (`\x1b`, `\u202e`).
 */
export function printable(text: string): string {
  return text.replace(unprintable, (character) => NAMED[character] ?? escapeCharacter(character));
}

function escapeCharacter(character: string): string {
  const code = character.charCodeAt(0).toString(16);
  return code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`;
}
