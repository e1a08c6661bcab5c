import { z } from 'zod';
import {
  MAX_BATCH_STEPS,
  MAX_CUSTOM_SCALARS,
  MAX_LAYERS,
  MAX_SCALAR_NAME_LENGTH,
  MAX_STEP,
  MIN_STEP,
} from './limits.ts';
import { attemptNumber, runId, time } from './run.ts';
import { arrayLengths, STEP_FIELDS, type StepArray, type StepScalar } from './step-fields.ts';
import { text } from './text.ts';

// JSON has no word for these three, so they travel as strings, as in a recorded run.
const NON_FINITE = { NaN: Number.NaN, Infinity: Number.POSITIVE_INFINITY, '-Infinity': Number.NEGATIVE_INFINITY };
/** A number, also one that `z.number()` refuses: NaN and the infinities. */
export const anyNumber = z.custom<number>((value) => typeof value === 'number', 'expected a number');
/** A number as JSON carries it: itself, or the name of what JSON has no word for. */
export const wireNumber = z.union(
  [anyNumber, z.enum(['NaN', 'Infinity', '-Infinity']).transform((word) => NON_FINITE[word])],
  'expected a number, "NaN", "Infinity" or "-Infinity"',
);

/** Writes a number for JSON, as {@link wireNumber} reads it. */
export function jsonNumber(value: number | null): z.input<typeof wireNumber> | null {
  return value === null || Number.isFinite(value) ? value : (String(value) as keyof typeof NON_FINITE);
}

/** The one name that a JavaScript object loses on the way. */
export const UNNAMEABLE = '__proto__';

/** The name of a custom scalar. */
export const scalarName = text(MAX_SCALAR_NAME_LENGTH).min(1);

/** The number of an optimizer update: an integer from {@link MIN_STEP} to {@link MAX_STEP}. */
export const stepNumber = z.number().int().min(MIN_STEP).max(MAX_STEP);

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).nullish();
const scalar = wireNumber.nullish();
const array = (name: StepArray) => {
  const [min, max] = arrayLengths(name, MAX_LAYERS);
  return z.array(wireNumber).min(min).max(max).nullish();
};

type FieldSchemas = { [Name in StepScalar]: typeof scalar } & { [Name in StepArray]: ReturnType<typeof array> };

const fieldSchemas = Object.fromEntries(
  STEP_FIELDS.map((field) => {
    if (field.kind === 'array') return [field.name, array(field.name)];
    return [field.name, field.kind === 'count' ? count : scalar];
  }),
) as FieldSchemas;

function isObjectWith(value: unknown, key: string): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key);
}

/** One optimizer update. What a step does not carry is absent or null; NaN and infinities are values. */
export const stepEvent = z.object({
  step: stepNumber,
  /** When the step ended, in milliseconds since 1970. */
  time,
  ...fieldSchemas,
  /** Any further scalars by name. */
  custom: z
    .custom<unknown>((value) => !isObjectWith(value, UNNAMEABLE), `"${UNNAMEABLE}" cannot be a name`)
    .pipe(z.record(scalarName, wireNumber))
    .refine((scalars) => Object.keys(scalars).length <= MAX_CUSTOM_SCALARS, `more than ${MAX_CUSTOM_SCALARS} names`)
    .nullish(),
});
/** A parsed {@link stepEvent}. */
export type StepEvent = z.output<typeof stepEvent>;

/** `steps`: step events of one attempt of one run, stored whole or not at all. */
export const stepBatch = z.object({
  run: runId,
  attempt: attemptNumber,
  steps: z.array(stepEvent).min(1).max(MAX_BATCH_STEPS),
});
/** A parsed {@link stepBatch}. */
export type StepBatch = z.output<typeof stepBatch>;

/**
 * Two reports of one step as one: the later overwrites the fields that it carries and keeps the others. The time is the
 * earlier of the two, so that the order in which reports of the same values arrive decides nothing.
 */
export function mergeStep(former: StepEvent, later: StepEvent): StepEvent {
  const merged: StepEvent = { ...former, time: Math.min(former.time, later.time) };
  for (const { name } of STEP_FIELDS) if (later[name] != null) Object.assign(merged, { [name]: later[name] });
  if (later.custom) merged.custom = { ...former.custom, ...later.custom };
  return merged;
}
