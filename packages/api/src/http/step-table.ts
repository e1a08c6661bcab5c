import { type Database, listCustomNames, readStoredSteps, type StepColumn, type StoredStep } from '@evenkeel/db';
import { MAX_CUSTOM_SCALARS, SCALAR_FIELDS, STEP_FIELDS } from '@evenkeel/protocol';
import { reads } from '../turns.ts';
import { NotFound } from './failure.ts';
import { findRun } from './find-run.ts';

/** In front of a name: the custom scalar, where a field or a column of every row has the same name. */
const CUSTOM = 'custom:';
/** What every row has. */
const OF_EVERY_ROW = [
  { name: 'attempt', kind: 'attempt' },
  { name: 'step', kind: 'step' },
  { name: 'time', kind: 'time' },
] as const satisfies readonly TableColumn[];
const NAMES_OF_EVERY_ROW: readonly string[] = OF_EVERY_ROW.map(({ name }) => name);
const FIELDS = new Map<string, (typeof STEP_FIELDS)[number]>(STEP_FIELDS.map((field) => [field.name, field]));
const FIELD_NAMES = [...FIELDS.keys()];

/** A column of a table of steps. Time is in milliseconds since 1970; a `count` is a whole number from 0 on. */
export interface TableColumn {
  name: string;
  kind: 'attempt' | 'step' | 'time' | 'scalar' | 'count' | 'array';
}

/** Null is what a step does not carry. */
export type TableValue = number | number[] | null;

/** The steps of a run, as they are read: each chunk in its turn with all other reads. */
export interface StepTable {
  columns: readonly TableColumn[];
  /** Rows in ascending order of their steps, with a value for each column. */
  chunks: AsyncGenerator<TableValue[][]>;
}

/** The key of a custom scalar: its name, unless that means something else. */
export function keyOfCustom(name: string): string {
  const isTaken = FIELDS.has(name) || NAMES_OF_EVERY_ROW.includes(name) || name.startsWith(CUSTOM);
  return isTaken ? CUSTOM + name : name;
}

export interface TableRequest {
  run: string;
  /** `scalars` are all of them, `everything` is that and the arrays; keys leave out steps that carry none of them. */
  keys: readonly string[] | 'scalars' | 'everything';
  from?: number | undefined;
  to?: number | undefined;
  attempt?: number | undefined;
  limit?: number | undefined;
}

/**
 * The steps of a run.
 * @throws NotFound where there is no such run or attempt.
 */
export async function openTable(db: Database, request: TableRequest): Promise<StepTable> {
  const keys = await reads(() => keysOf(db, request));
  const columns = keys.map((name): TableColumn => ({ name, kind: FIELDS.get(name)?.kind ?? 'scalar' }));
  return { columns: [...OF_EVERY_ROW, ...columns], chunks: readChunks(db, request, keys) };
}

async function* readChunks(db: Database, request: TableRequest, keys: readonly string[]): StepTable['chunks'] {
  const chunks = readStoredSteps(db, { ...request, columns: keys.map(columnOf) });
  const isNarrowed = Array.isArray(request.keys) && keys.length > 0; // every step carries what every row has
  let left = request.limit ?? Number.POSITIVE_INFINITY;
  for (let next = await reads(() => chunks.next()); !next.done && left > 0; next = await reads(() => chunks.next())) {
    const rows = (isNarrowed ? next.value.filter(carriesAny) : next.value).slice(0, left);
    left -= rows.length;
    yield rows.map(valuesOf);
  }
}

async function keysOf(db: Database, { run, keys, attempt }: TableRequest): Promise<string[]> {
  const { attempts } = await findRun(db, run);
  if (attempt !== undefined && !attempts.some(({ number }) => number === attempt))
    throw new NotFound(`the run has no attempt ${attempt}`);
  if (typeof keys !== 'string') return [...new Set(keys)].filter((key) => !NAMES_OF_EVERY_ROW.includes(key));
  const names = await listCustomNames(db, { run, limit: MAX_CUSTOM_SCALARS });
  const fields = keys === 'scalars' ? SCALAR_FIELDS.map(({ name }) => name) : FIELD_NAMES;
  return [...fields, ...names.map(keyOfCustom)];
}

function columnOf(key: string): StepColumn {
  const field = FIELDS.get(key)?.name;
  return field ? { field } : { custom: key.startsWith(CUSTOM) ? key.slice(CUSTOM.length) : key };
}

function carriesAny({ values }: StoredStep): boolean {
  return values.some((value) => value !== null);
}

function valuesOf({ attempt, step, time, values }: StoredStep): TableValue[] {
  return [attempt, step, time, ...values];
}
