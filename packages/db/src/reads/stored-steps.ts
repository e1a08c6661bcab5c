import { MAX_STEP, MIN_STEP, STEP_FIELDS, type StepArray, type StepScalar } from '@evenkeel/protocol';
import { and, asc, eq, gt, gte, inArray, lte, type SQL, sql } from 'drizzle-orm';
import type { Database } from '../database.ts';
import { scalarName, scalarSet, scalarValues, step } from '../tables/schema.ts';
import { clip, readTimeline } from './timeline.ts';

/** What a row of a run's steps has a value of: a field of every step, or a custom scalar by its name. */
export type StepColumn = { field: StepScalar | StepArray } | { custom: string };

export interface StoredStepsQuery {
  run: string;
  columns: readonly StepColumn[];
  /** First and last step, both included. */
  from?: number | undefined;
  to?: number | undefined;
  /**
   * Every step that this attempt stored. Without it the run's timeline, as charts draw it: without what a later attempt
   * superseded, outliers and removed steps.
   */
  attempt?: number | undefined;
}

/** A step as it is stored. */
export interface StoredStep {
  attempt: number;
  step: number;
  /** In milliseconds since 1970. */
  time: number;
  /** In the order of the columns; null is what the step does not carry. */
  values: (number | number[] | null)[];
}

/** Steps, and values, that are read at once: few, because an embedded database stores nothing meanwhile. */
const CHUNK_STEPS = 2_000;
const CHUNK_VALUES = 100_000;
/** How many values an array counts as. */
const ARRAY_VALUES = 64;

const ARRAYS: ReadonlySet<string> = new Set(STEP_FIELDS.filter(({ kind }) => kind === 'array').map(({ name }) => name));

/**
 * Reads the steps of a run in chunks, in ascending order of their numbers. Each is one statement or a few, and nothing is
 * held between two chunks; a run without steps yields none.
 */
export async function* readStoredSteps(db: Database, query: StoredStepsQuery): AsyncGenerator<StoredStep[]> {
  const customs = await CustomReader.open(db, query);
  const limit = chunkSteps(query.columns);
  for (const span of await spansOf(db, query)) {
    let after = span.first - 1;
    while (after < span.last) {
      const rows = await readChunk(db, query, { ...span, first: after + 1 }, limit);
      if (rows.length > 0) {
        await customs?.fill(rows);
        yield rows;
      }
      after = rows.length < limit ? span.last : (rows.at(-1)?.step ?? span.last);
    }
  }
}

/** Steps of one attempt, both bounds included. */
interface Span {
  attempt: number;
  first: number;
  last: number;
}

async function spansOf(db: Database, { run, attempt, from, to }: StoredStepsQuery): Promise<Span[]> {
  const [first, last] = [from ?? MIN_STEP, to ?? MAX_STEP];
  if (attempt !== undefined) return [{ attempt, first, last }];
  return clip(await readTimeline(db.sql, run), first, last);
}

function chunkSteps(columns: readonly StepColumn[]): number {
  const values = columns.reduce((sum, column) => sum + (isArray(column) ? ARRAY_VALUES : 1), 1);
  return Math.max(1, Math.min(CHUNK_STEPS, Math.floor(CHUNK_VALUES / values)));
}

function isArray(column: StepColumn): boolean {
  return 'field' in column && ARRAYS.has(column.field);
}

async function readChunk(
  db: Database,
  { run, columns }: StoredStepsQuery,
  { attempt, first, last }: Span,
  limit: number,
): Promise<StoredStep[]> {
  const fields = columns.flatMap((column) => ('field' in column ? [column.field] : []));
  const rows = await db.sql
    .select({ step: step.step, time: step.time, ...Object.fromEntries(fields.map((name) => [name, step[name]])) })
    .from(step)
    .where(and(eq(step.run, run), eq(step.attempt, attempt), gte(step.step, first), lte(step.step, last)))
    .orderBy(asc(step.step))
    .limit(limit);
  return rows.map((row) => ({
    attempt,
    step: row.step,
    time: row.time.getTime(),
    values: columns.map((column) => ('field' in column ? fieldOf(row, column.field) : null)),
  }));
}

function fieldOf(row: object, field: string): number | number[] | null {
  return (row as Record<string, number | number[] | null>)[field] ?? null;
}

/** Where the values of a set go that are asked for. */
interface SetLayout {
  /** Of each value that is read, its column. */
  columns: number[];
  /** Which values of the set are read, counted from 1; null where that is all of them. */
  places: number[] | null;
}

/** Reads the custom scalars of steps: those that are asked for alone, of rows that may hold thousands. */
class CustomReader {
  readonly #db: Database;
  readonly #run: string;
  /** Columns by the ids of their names. */
  readonly #columns: ReadonlyMap<number, number>;
  /** Of the sets that hold any of the names. */
  readonly #layouts = new Map<number, SetLayout>();
  /** All sets below this id have been read. */
  #knownSets = 0;

  private constructor(db: Database, run: string, columns: ReadonlyMap<number, number>) {
    this.#db = db;
    this.#run = run;
    this.#columns = columns;
  }

  /** Null where the run has none of the custom scalars. */
  static async open(db: Database, { run, columns }: StoredStepsQuery): Promise<CustomReader | null> {
    const places = new Map(columns.flatMap((column, at) => ('custom' in column ? [[column.custom, at]] : [])));
    if (places.size === 0) return null;
    const rows = await db.sql
      .select({ id: scalarName.id, name: scalarName.name })
      .from(scalarName)
      .where(and(eq(scalarName.run, run), inArray(scalarName.name, [...places.keys()])));
    if (rows.length === 0) return null;
    return new CustomReader(db, run, new Map(rows.map(({ id, name }) => [id, places.get(name) as number])));
  }

  /** Adds the values to steps of one attempt, in order; of two values of one name the newer counts. */
  async fill(steps: readonly StoredStep[]): Promise<void> {
    const [first, last] = [steps[0], steps.at(-1)];
    if (!first || !last) return;
    await this.#learnSets();
    const bySteps = new Map(steps.map((row) => [row.step, row]));
    for (const { step: number, set, values } of await this.#read(first, last)) {
      const row = bySteps.get(number);
      const layout = this.#layouts.get(set);
      if (!layout) throw new Error(`the values of set ${set} were not asked for`);
      for (const [at, column] of layout.columns.entries()) if (row) row.values[column] = values[at] ?? null;
    }
  }

  /** A run may get new sets of names while its steps are read. */
  async #learnSets(): Promise<void> {
    const sets = await this.#db.sql
      .select({ id: scalarSet.id, names: scalarSet.names })
      .from(scalarSet)
      .where(and(eq(scalarSet.run, this.#run), gt(scalarSet.id, this.#knownSets - 1)))
      .orderBy(asc(scalarSet.id));
    for (const { id, names } of sets) {
      const asked = names.flatMap((name, at) => {
        const column = this.#columns.get(name);
        return column === undefined ? [] : [{ place: at + 1, column }];
      });
      const places = asked.length === names.length ? null : asked.map(({ place }) => place);
      if (asked.length > 0) this.#layouts.set(id, { columns: asked.map(({ column }) => column), places });
      this.#knownSets = id + 1;
    }
  }

  #read(first: StoredStep, last: StoredStep) {
    const wanted = JSON.stringify([...this.#layouts].map(([set, { places }]) => ({ set, places })));
    const values = sql`case when wanted.places is null then ${scalarValues.values} else array(
      select ${scalarValues.values}[place.number] from unnest(wanted.places) with ordinality as place (number, at)
      order by place.at) end`;
    return this.#db.sql
      .select({
        step: scalarValues.step,
        set: scalarValues.set,
        values: values.mapWith(scalarValues.values) as SQL<number[]>,
      })
      .from(scalarValues)
      .innerJoin(
        sql`jsonb_to_recordset(${wanted}::jsonb) as wanted (set integer, places integer[])`,
        sql`wanted.set = ${scalarValues.set}`,
      )
      .where(
        and(
          eq(scalarValues.run, this.#run),
          eq(scalarValues.attempt, first.attempt),
          gte(scalarValues.step, first.step),
          lte(scalarValues.step, last.step),
        ),
      )
      .orderBy(asc(scalarValues.version));
  }
}
