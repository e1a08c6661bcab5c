import { name, parse, RefusedError } from '@evenkeel/protocol';
import { parseYaml, readYaml, UsageError } from '@evenkeel/trainer';
import { z } from 'zod';

/** A study: a project, and the runs of its grid, each once. */
export interface Study {
  project: string;
  /** Runs at a time; null for one per core. */
  parallel: number | null;
  runs: PlannedRun[];
}

/** One run of a study. */
export interface PlannedRun {
  /** In words for people: "mlra, 12 layers, lr 3e-3, seed 2". No two runs of a study share one. */
  name: string;
  /** The name as a folder's. */
  folder: string;
  /** The variant of the model, for tables and plots: the attention, and what else the grid varies. */
  attention: string;
  layers: number;
  lr: number;
  seed: number;
  steps: number;
  warmup: number;
  /** Flags of `evenkeel train` in camelCase. */
  settings: Settings;
}

type Settings = Record<string, unknown>;

/** Settings of a run that the study itself sets. */
export const RESERVED = [
  ...['project', 'name', 'server', 'key', 'offline', 'quiet', 'config', 'dryRun'],
  ...['record', 'checkpoint', 'resume'],
];

const value = z.union([z.string(), z.number(), z.boolean()], 'expected text, a number, true or false');
const values = z.union([value, z.array(value).min(1)], 'expected a value, or a list of values');
const settings = z
  .record(z.string(), values)
  .superRefine((given, context) => {
    for (const key of RESERVED) if (key in given) context.addIssue({ code: 'custom', path: [key], message: OWN });
  })
  .default({});
const OWN = 'is set by the study itself';
const MAX_RUNS = 10_000;

const studyFile = z.strictObject({
  project: name,
  parallel: z.number().int().min(1).nullable().default(null),
  base: settings,
  grid: z.array(settings).min(1),
});

/** Settings that a study must give: its tables are by these, and its results should not depend on a default. */
const needed = z.looseObject({
  attention: z.string(),
  layers: z.number().int().min(1),
  lr: z.number().positive(),
  seed: z.number().int().min(0),
  steps: z.number().int().min(1),
  warmup: z.number().int().min(0),
});

/**
 * Reads a study from its file.
 * @throws UsageError naming the file and the field that is wrong, or the line where it is not valid YAML.
 */
export async function readStudy(path: string): Promise<Study> {
  const given = await readYaml(path);
  try {
    return plan(given);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    throw new UsageError(`${path}: ${error.field ? `${error.field}: ` : ''}${error.message}`);
  }
}

/**
 * A study from the text of its file.
 * @throws RefusedError naming the field, UsageError naming the line
 */
export function parseStudy(source: string): Study {
  return plan(parseYaml('study', source));
}

function plan(given: unknown): Study {
  const { project, parallel, base, grid } = parse(studyFile, given);
  const points = grid.reduce((sum, entry) => sum + sizeOf(entry), 0);
  if (points > MAX_RUNS) throw new RefusedError('grid', `has ${points} runs; the max of a study is ${MAX_RUNS}`);
  const varied = new Set(grid.flatMap(Object.keys));
  const runs = new Map<string, PlannedRun>();
  grid.forEach((entry, at) => {
    for (const point of product(entry)) {
      const run = planRun({ ...base, ...point }, varied, `grid[${at}]`);
      runs.set(run.name, runs.get(run.name) ?? run);
    }
  });
  return { project, parallel, runs: [...runs.values()] };
}

/** The number of runs of an entry of the grid. */
function sizeOf(entry: z.infer<typeof settings>): number {
  return Object.values(entry).reduce<number>((size, choices) => size * [choices].flat().length, 1);
}

/** Every choice of one value a key, the last key's changing fastest. */
function product(entry: Record<string, z.infer<typeof values>>): Settings[] {
  return Object.entries(entry).reduce<Settings[]>(
    (points, [key, choices]) =>
      points.flatMap((point) => [choices].flat().map((choice) => ({ ...point, [key]: choice }))),
    [{}],
  );
}

function planRun(settings: Settings, varied: ReadonlySet<string>, where: string): PlannedRun {
  const { attention, layers, lr, seed, steps, warmup } = parseNeeded(settings, where);
  const others = [...varied].filter((key) => key in settings && !['attention', 'layers', 'lr', 'seed'].includes(key));
  const variety = [attention, ...others.sort().map((key) => `${key} ${settings[key]}`)];
  const title = [...variety, `${layers} layers`, `lr ${readableRate(lr)}`, `seed ${seed}`].join(', ');
  return {
    name: parse(name, title),
    folder: title.replaceAll(/[^\w.+-]+/g, '-'),
    attention: variety.join(', '),
    ...{ layers, lr, seed, steps, warmup, settings },
  };
}

function parseNeeded(settings: Settings, where: string): z.infer<typeof needed> {
  try {
    return parse(needed, settings);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    const isMissing = !Object.hasOwn(settings, error.field);
    const problem = isMissing ? 'is missing: it stands in base or in grid' : `is not right: ${error.message}`;
    throw new RefusedError(where, `with base, ${error.field} ${problem}`);
  }
}

/** 0.003 → 3e-3 */
export function readableRate(lr: number): string {
  return lr.toExponential().replace('+', '');
}
