/**
 * One named value of a step. Both numbers are its own forever: a field that goes leaves its numbers unused, and a new
 * one takes the next, so that no older frame and no stored chart changes its meaning.
 */
interface StepField {
  name: string;
  /** `count` is a whole number from 0 on; an `array` holds as many values as its `length` says. */
  kind: 'scalar' | 'count' | 'array';
  /** Of the presence mask of a binary step, from 0; see README.md, "A step batch". */
  bit: number;
  /** The number under which rollups hold it. Of an array they hold the first step that carries it. */
  metric: number;
  /** For people, as a chart's title. */
  title: string;
  /** Null where it has none. */
  unit: string | null;
  /** Whether every run has a chart of it, only a run that reports it has, or none. */
  charted: 'always' | 'where reported' | 'never';
}

/** Number of values of `tevQuantiles`: at 0, 1, 5, 25, 50, 75, 95, 99 and 100 % of the vocabulary. */
export const TEV_QUANTILE_COUNT = 9;

/**
 * Every field of a step but its number, its time and its custom scalars. The one list: the codec, the schemas, the
 * charts, the rollups and the recordings derive from it; the specification and the table `step` are tested against it.
 * Loss is in nats, so gradients are in nats per unit of a weight; weights, and with them TEV, have no unit.
 */
export const STEP_FIELDS = [
  { name: 'loss', kind: 'scalar', bit: 0, metric: 1, title: 'Loss', unit: 'nats', charted: 'always' },
  { name: 'tevMean', kind: 'scalar', bit: 1, metric: 2, title: 'TEV, mean', unit: null, charted: 'always' },
  { name: 'tevStd', kind: 'scalar', bit: 2, metric: 3, title: 'TEV, deviation', unit: null, charted: 'always' },
  { name: 'gradVar', kind: 'scalar', bit: 3, metric: 4, title: 'Gradient variance', unit: 'nats²', charted: 'always' },
  { name: 'gradNorm', kind: 'scalar', bit: 4, metric: 5, title: 'Gradient norm', unit: 'nats', charted: 'always' },
  { name: 'lr', kind: 'scalar', bit: 5, metric: 6, title: 'Learning rate', unit: null, charted: 'always' },
  { name: 'tokens', kind: 'count', bit: 6, metric: 7, title: 'Tokens', unit: 'tokens', charted: 'never' },
  { name: 'tevQuantiles', kind: 'array', bit: 7, metric: 8, title: 'TEV by quantile', unit: null, charted: 'never' },
  {
    name: 'layerGradVar',
    kind: 'array',
    bit: 8,
    metric: 9,
    title: 'Gradient variance',
    unit: 'nats²',
    charted: 'never',
  },
  { name: 'layerOutVar', kind: 'array', bit: 9, metric: 10, title: 'Output variance', unit: null, charted: 'never' },
  {
    name: 'lrAhead',
    kind: 'scalar',
    bit: 11,
    metric: 11,
    title: 'Learning rate ahead',
    unit: null,
    charted: 'where reported',
  },
  {
    name: 'updateShare',
    kind: 'scalar',
    bit: 12,
    metric: 12,
    title: 'Update over weights',
    unit: null,
    charted: 'where reported',
  },
  {
    name: 'updateRms',
    kind: 'scalar',
    bit: 13,
    metric: 13,
    title: 'Gradient over √v, RMS',
    unit: null,
    charted: 'where reported',
  },
  {
    name: 'attentionLogitMax',
    kind: 'scalar',
    bit: 14,
    metric: 14,
    title: 'Greatest attention logit',
    unit: null,
    charted: 'where reported',
  },
] as const satisfies readonly StepField[];

/** The bit of `custom` in the presence mask. */
export const CUSTOM_BIT = 10;
/** Under which rollups hold the time of a step, and the tokens seen by then. */
export const TIME_METRIC = 0;
/** The number under which rollups hold the tokens seen by a step. */
export const TOKENS_METRIC = metricOf('tokens');
/** The number of a run's first custom scalar in rollups; the others follow in the order in which they were first seen. */
export const FIRST_CUSTOM_METRIC = 1000;

type Field = (typeof STEP_FIELDS)[number];
type ScalarField = Extract<Field, { kind: 'scalar' | 'count' }>;
type ArrayField = Extract<Field, { kind: 'array' }>;
type ChartedField = Exclude<Field, { charted: 'never' }>;

/** The name of a field that holds one number. */
export type StepScalar = ScalarField['name'];
/** The name of a field that holds an array. */
export type StepArray = ArrayField['name'];
/** A scalar of which runs have a chart. */
export type ChartMetric = ChartedField['name'];

/** Rows of {@link STEP_FIELDS} that hold one number, counts included. */
export const SCALAR_FIELDS = STEP_FIELDS.filter((field): field is ScalarField => field.kind !== 'array');
/** Rows of {@link STEP_FIELDS} that hold an array. */
export const ARRAY_FIELDS = STEP_FIELDS.filter((field): field is ArrayField => field.kind === 'array');
/** Rows of {@link STEP_FIELDS} of which runs have a chart. */
export const CHARTED_FIELDS = STEP_FIELDS.filter((field): field is ChartedField => field.charted !== 'never');

/** Names of {@link ARRAY_FIELDS}. */
export const STEP_ARRAYS: readonly StepArray[] = ARRAY_FIELDS.map(({ name }) => name);

function metricOf(name: Field['name']): number {
  const field = STEP_FIELDS.find((each) => each.name === name);
  if (!field) throw new Error(`a step has no ${name}`);
  return field.metric;
}

/** How many values an array field may have, both bounds included; `layers` are those of its run. */
export function arrayLengths(name: StepArray, maxLayers: number): [min: number, max: number] {
  return name === 'tevQuantiles' ? [TEV_QUANTILE_COUNT, TEV_QUANTILE_COUNT] : [0, maxLayers];
}
