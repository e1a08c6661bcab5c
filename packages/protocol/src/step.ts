import { z } from 'zod';
import { MAX_BATCH_STEPS, MAX_CUSTOM_SCALARS, MAX_LAYERS, MAX_STEP } from './limits.ts';
import { attemptNumber, runId, time } from './run.ts';
import { name } from './text.ts';

/** The scalars of a step, in the order of the binary codec's bits. */
export const STEP_SCALARS = ['loss', 'tevMean', 'tevStd', 'gradVar', 'gradNorm', 'lr', 'tokens'] as const;

/** The arrays of a step, in the order of the binary codec's bits, after the scalars. */
export const STEP_ARRAYS = ['tevQuantiles', 'layerGradVar', 'layerOutVar'] as const;
export type StepArray = (typeof STEP_ARRAYS)[number];

/** Values of `tevQuantiles`: one for each of 0, 1, 5, 25, 50, 75, 95, 99 and 100 %. */
export const TEV_QUANTILE_COUNT = 9;

// JSON has no word for these three, so they travel as strings, as in a recorded run.
const NON_FINITE = { NaN: Number.NaN, Infinity: Number.POSITIVE_INFINITY, '-Infinity': Number.NEGATIVE_INFINITY };
const anyNumber = z.custom<number>((value) => typeof value === 'number', 'expected a number');
/** A number as JSON carries it: itself, or the name of what JSON has no word for. */
export const wireNumber = z.union(
  [anyNumber, z.enum(['NaN', 'Infinity', '-Infinity']).transform((word) => NON_FINITE[word])],
  'expected a number, "NaN", "Infinity" or "-Infinity"',
);

/** Writes a number for JSON, as {@link wireNumber} reads it. */
export function jsonNumber(value: number | null): z.input<typeof wireNumber> | null {
  return value === null || Number.isFinite(value) ? value : (String(value) as keyof typeof NON_FINITE);
}

const scalar = wireNumber.nullish();
const layerValues = z.array(wireNumber).max(MAX_LAYERS).nullish();

/** The one name that a JavaScript object loses on the way. */
export const UNNAMEABLE = '__proto__';

function isObjectWith(value: unknown, key: string): boolean {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key);
}

/** One optimiser update. What a step does not carry is absent or null; NaN and infinities are values. */
export const stepEvent = z.object({
  step: z.number().int().min(0).max(MAX_STEP),
  /** When the step ended, in milliseconds since 1970. */
  time,
  loss: scalar,
  tevMean: scalar,
  tevStd: scalar,
  gradVar: scalar,
  gradNorm: scalar,
  lr: scalar,
  /** Tokens seen since the start of the run. */
  tokens: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER).nullish(),
  tevQuantiles: z.array(wireNumber).length(TEV_QUANTILE_COUNT).nullish(),
  layerGradVar: layerValues,
  layerOutVar: layerValues,
  /** Any further scalars by name. */
  custom: z
    .custom<unknown>((value) => !isObjectWith(value, UNNAMEABLE), `"${UNNAMEABLE}" cannot be a name`)
    .pipe(z.record(name, wireNumber))
    .refine((scalars) => Object.keys(scalars).length <= MAX_CUSTOM_SCALARS, `more than ${MAX_CUSTOM_SCALARS} names`)
    .nullish(),
});
export type StepEvent = z.output<typeof stepEvent>;

/** `steps`: what one attempt of one run has to tell, stored whole or not at all. */
export const stepBatch = z.object({
  run: runId,
  attempt: attemptNumber,
  steps: z.array(stepEvent).min(1).max(MAX_BATCH_STEPS),
});
export type StepBatch = z.output<typeof stepBatch>;
