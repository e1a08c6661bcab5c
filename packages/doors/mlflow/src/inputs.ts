import { z } from 'zod';
import { numberOf, sentMetric } from './metrics.ts';

// What operations are sent. Clients of other languages send numbers as text, which the protobuf form of JSON allows.

/** As text: clients send params of any kind. */
const text = z.union([z.string(), z.number(), z.boolean()]).transform(String);
const number = z
  .unknown()
  .optional()
  .transform((value) => numberOf(value) ?? undefined);
const pair = z.object({ key: z.string(), value: text.default('') });
const pairs = z.array(pair).default([]);
const optionalText = text.nullish().transform((value) => value ?? '');

const ofRun = { run_id: z.string() };

export const namedExperiment = z.object({ experiment_name: z.string() });
export const numberedExperiment = z.object({ experiment_id: text });
export const newExperiment = z.object({ name: z.string() });
const VIEWS: Record<string, boolean | undefined> = { ACTIVE_ONLY: false, DELETED_ONLY: true, ALL: undefined };
const view = z
  .string()
  .default('ACTIVE_ONLY')
  .transform((name) => (Object.hasOwn(VIEWS, name) ? VIEWS[name] : false));
const maxResults = number.pipe(z.number().int().min(1).optional()).transform((given) => given ?? 1_000);
export const experimentSearch = z.object({
  filter: optionalText,
  max_results: maxResults,
  page_token: optionalText,
  view_type: view,
});

export const newRun = z.object({
  experiment_id: text.default('0'),
  user_id: optionalText,
  run_name: optionalText,
  start_time: number,
  tags: pairs,
});
export const anyRun = z.object(ofRun);
export const runUpdate = z.object({ ...ofRun, status: optionalText, end_time: number, run_name: optionalText });
/** Experiments that one search names at most. */
const MAX_EXPERIMENTS = 1_000;
export const runSearch = z.object({
  experiment_ids: z.array(text).max(MAX_EXPERIMENTS).default([]),
  filter: optionalText,
  run_view_type: view,
  max_results: maxResults,
  order_by: z.array(z.string()).default([]),
  page_token: number.pipe(z.number().int().min(0).optional()).transform((given) => given ?? 0),
});
export const oneMetric = z.object({ ...ofRun, ...sentMetric.shape });
export const oneParam = z.object({ ...ofRun, ...pair.shape });
export const oneTag = z.object({ ...ofRun, key: z.string() });
export const batch = z.object({
  ...ofRun,
  metrics: z.array(sentMetric).default([]),
  params: pairs,
  tags: pairs,
});
export const history = z.object({
  ...ofRun,
  metric_key: z.string(),
  max_results: number.pipe(z.number().int().min(1).optional()),
  page_token: number.pipe(z.number().int().optional()),
});
