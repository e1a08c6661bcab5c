import {
  MAX_CUSTOM_SCALARS,
  MAX_LAYERS,
  MAX_SCALAR_NAME_LENGTH,
  MAX_STEP,
  MAX_TIME,
  MIN_STEP,
  MIN_STEP_TIME,
} from './limits.ts';
import { type StepEvent, scalarName, UNNAMEABLE, wireNumber } from './step.ts';
import { ARRAY_FIELDS, arrayLengths, SCALAR_FIELDS, type StepArray } from './step-fields.ts';
import { storableText } from './text.ts';

/** Why a value was left out of a step, as it is counted, and in words that go on from the field's name. */
export const DROP_REASONS = {
  'not a number': 'is no number',
  'not a whole number': 'is no whole number in range',
  'not in milliseconds': 'is below 10^11: times are in milliseconds since 1970',
  'wrong length': 'has another number of values than it must have',
  'bad name': `is no name of 1 to ${MAX_SCALAR_NAME_LENGTH} characters`,
  'too many names': `a run has at most ${MAX_CUSTOM_SCALARS} custom scalars`,
  'not an object': 'is no object',
} as const;
/** See {@link DROP_REASONS}. */
export type DropReason = keyof typeof DROP_REASONS;

/** Receives each value that is left out. A field is a name of `STEP_FIELDS`, `step`, `custom` or `custom.NAME`. */
export type OnDropped = (field: string, reason: DropReason) => void;

/** What a run gives its steps. */
export interface StepContext {
  /** How many layers it names, where that is known: arrays by layer have as many values. */
  layers: number | null;
  /** The time of a step that has none, in milliseconds since 1970. */
  now: () => number;
}

/**
 * Takes from anything what can be stored as a step. A bad value costs itself and not the step: it is left out, and
 * `dropped` is called for it. Without a step number there is nothing to store.
 * @returns a copy, so that its giver may use arrays and objects again; null where the step itself is dropped.
 */
export function takeStep(input: unknown, { layers, now }: StepContext, dropped: OnDropped): StepEvent | null {
  if (typeof input !== 'object' || input === null) {
    dropped('step', 'not an object');
    return null;
  }
  const given = input as Record<string, unknown>;
  if (!isInRange(given.step, MIN_STEP, MAX_STEP) || !Number.isInteger(given.step)) {
    dropped('step', 'not a whole number');
    return null;
  }
  const step: StepEvent = { step: given.step, time: takeTime(given.time, now, dropped) };
  for (const { name, kind } of SCALAR_FIELDS) {
    const value = kind === 'count' ? takeCount(name, given[name], dropped) : takeNumber(name, given[name], dropped);
    if (value !== null) step[name] = value;
  }
  for (const { name } of ARRAY_FIELDS) {
    const values = takeArray(name, given[name], layers, dropped);
    if (values !== null) step[name] = values;
  }
  const custom = takeCustom(given.custom, dropped);
  if (custom !== null) step.custom = custom;
  return step;
}

function takeTime(value: unknown, now: () => number, dropped: OnDropped): number {
  if (value == null) return now();
  if (isInRange(value, MIN_STEP_TIME, MAX_TIME)) return value;
  dropped('time', isInRange(value, 0, MIN_STEP_TIME) ? 'not in milliseconds' : 'not a number');
  return now();
}

function isInRange(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && value >= min && value <= max;
}

function takeNumber(field: string, value: unknown, dropped: OnDropped): number | null {
  if (typeof value === 'number') return value;
  if (value == null) return null;
  const found = wireNumber.safeParse(value);
  if (found.success) return found.data;
  dropped(field, 'not a number');
  return null;
}

function takeCount(field: string, value: unknown, dropped: OnDropped): number | null {
  if (value == null) return null;
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  dropped(field, 'not a whole number');
  return null;
}

/** Arrays and typed arrays alike: what a tensor library hands out is one of these. */
function takeArray(field: StepArray, value: unknown, layers: number | null, dropped: OnDropped): number[] | null {
  if (value == null) return null;
  if (!Array.isArray(value) && !isTypedArray(value)) {
    dropped(field, 'not a number');
    return null;
  }
  const [min, max] = layers === null || field === 'tevQuantiles' ? arrayLengths(field, MAX_LAYERS) : [layers, layers];
  if (value.length < min || value.length > max) {
    dropped(field, 'wrong length');
    return null;
  }
  const values: number[] = [];
  for (const element of value) {
    const number = takeNumber(field, element ?? 'absent', dropped);
    if (number === null) return null;
    values.push(number);
  }
  return values;
}

function isTypedArray(value: unknown): value is Float64Array {
  return ArrayBuffer.isView(value) && 'length' in value;
}

function takeCustom(value: unknown, dropped: OnDropped): Record<string, number> | null {
  if (value == null) return null;
  if (typeof value !== 'object' || Array.isArray(value)) {
    dropped('custom', 'not an object');
    return null;
  }
  const taken: Record<string, number> = {};
  let room = MAX_CUSTOM_SCALARS;
  for (const [name, scalar] of Object.entries(value)) {
    if (!isScalarName(name)) dropped(customField(name), 'bad name');
    else if (room-- <= 0) dropped(customField(name), 'too many names');
    else {
      const number = takeNumber(customField(name), scalar ?? 'absent', dropped);
      if (number !== null) taken[name] = number;
    }
  }
  return Object.keys(taken).length > 0 ? taken : null;
}

/** Plain names are recognized without the schema, which takes longer than all the rest of a step. */
function isScalarName(name: string): boolean {
  if (/^[\w./ -]{1,500}$/.test(name)) return name !== UNNAMEABLE;
  return scalarName.safeParse(name).success;
}

/** Short enough to be counted by, whatever the name. */
const MAX_FIELD_LENGTH = 200;

function customField(name: string): string {
  return `custom.${storableText(name, MAX_FIELD_LENGTH)}`;
}
