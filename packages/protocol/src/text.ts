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

export const name = text(MAX_NAME_LENGTH).min(1);

/** Whether every string in a JSON value, keys included, can be stored. */
export function isStorable(json: string): boolean {
  return !/\\u0000|\\u[dD][89a-fA-F][0-9a-fA-F]{2}/.test(json.replaceAll('\\\\', ''));
}

/** What can be stored of a reason, which is often an error's long stack. */
export function storableReason(reason: string): string {
  return reason.slice(0, MAX_REASON_LENGTH).replaceAll(new RegExp(unstorable, 'gu'), '\uFFFD');
}

/** Text from elsewhere, such as a run's name, as a terminal may be shown it. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '\uFFFD');
}
