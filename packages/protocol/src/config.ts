import { z } from 'zod';
import { replaceNonFinite } from './json.ts';
import { MAX_CONFIG_LENGTH } from './limits.ts';
import { RefusedError } from './refusal.ts';
import { isStorable } from './text.ts';

// JSON has no word for NaN and infinities, and its readers round integers beyond 2^53. In a configuration such a number is
// an object of one key, which no text of a user can be taken for. It stays one in the database and in recordings.
const TAG = '$number';
const NUMBER = /^(NaN|-?Infinity|0|-?[1-9]\d*)$/;

/** The text of the number that a value of a configuration stands for, where JSON cannot carry it; null for any other. */
export function numberOf(value: unknown): string | null {
  if (!isObject(value) || Object.keys(value).length !== 1) return null;
  const text = value[TAG];
  return typeof text === 'string' && NUMBER.test(text) ? text : null;
}

/** A replacer for `JSON.stringify`, after which no number of a configuration is lost. */
export function tagNumber(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : { [TAG]: String(value) };
  return typeof value === 'number' && !Number.isFinite(value) ? { [TAG]: String(value) } : value;
}

/** What JSON can carry is written in one way alone, so that equal numbers are equal. */
function untagPlain(key: string, value: unknown): unknown {
  const text = key === '' ? null : numberOf(value); // the whole is no number
  return text !== null && Number.isSafeInteger(Number(text)) ? Number(text) : value;
}

/** A string (its end may be missing: else each quote in it is tried), or a number: text within a string is none. */
const JSON_TOKEN = /"[^"\\]*(?:\\.[^"\\]*)*"?|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?/g;

/** JSON in which the integers that its readers would round are objects, as in a configuration. */
export function tagIntegers(json: string): string {
  return json.replaceAll(JSON_TOKEN, (token) => {
    const isRounded = /^-?\d+$/.test(token) && !Number.isSafeInteger(Number(token));
    return isRounded ? JSON.stringify({ [TAG]: token }) : token;
  });
}

/** JSON in which the bare NaN and infinities that Python writes are objects, likewise. */
export function tagNonFinite(text: string): string {
  return replaceNonFinite(text, (word) => JSON.stringify({ [TAG]: word }));
}

/** Nesting of a configuration; far below what a JSON parser or PostgreSQL can bear. */
const MAX_CONFIG_DEPTH = 64;

/** A plain object, reduced to what JSON can carry; numbers that it cannot are {@link numberOf objects} in it. */
export const config = z
  .custom<Record<string, unknown>>(isObject, 'expected an object')
  .transform((value, context): Record<string, unknown> => {
    const json = toJson(value);
    if (json === null) {
      context.addIssue('cannot be written as JSON');
      return z.NEVER;
    }
    const problem = configProblem(json);
    if (problem) {
      context.addIssue(problem);
      return z.NEVER;
    }
    return JSON.parse(json, untagPlain);
  });

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function toJson(value: unknown): string | null {
  try {
    return JSON.stringify(value, tagNumber);
  } catch {
    return null; // a cycle, or nested too deep
  }
}

function configProblem(json: string): string | null {
  if (json.length > MAX_CONFIG_LENGTH) return `longer than ${MAX_CONFIG_LENGTH} characters as JSON`;
  if (jsonDepth(json) > MAX_CONFIG_DEPTH) return `nested more than ${MAX_CONFIG_DEPTH} deep`;
  if (!isStorable(json)) return 'contains a NUL character or half a surrogate pair';
  return null;
}

function jsonDepth(json: string): number {
  let depth = 0;
  let deepest = 0;
  for (const bracket of json.replace(/"(?:[^"\\]|\\.)*"/g, '').match(/[[\]{}]/g) ?? []) {
    depth += bracket === '[' || bracket === '{' ? 1 : -1;
    deepest = Math.max(deepest, depth);
  }
  return deepest;
}

/**
 * A run's configuration with further keys.
 * @throws RefusedError where both together are too long.
 */
export function mergeConfig(known: Record<string, unknown>, given: Record<string, unknown>): Record<string, unknown> {
  const merged = { ...known, ...given };
  const problem = configProblem(JSON.stringify(merged));
  if (problem) throw new RefusedError('config', `with what the run has already: ${problem}`);
  return merged;
}
