import { changeRunState, type Database, getRun, getRunSource, latestOfField, latestValues } from '@evenkeel/db';
import type { PolledRun } from '@evenkeel/ingest';
import { SCALAR_FIELDS, storableText } from '@evenkeel/protocol';
import pLimit from 'p-limit';
import { type Reading, readMetric, rowsOf, type SentMetric } from './metrics.ts';
import { byClientNames } from './names.ts';
import { type PlacedRequest, StepCounter, type StoredMetric } from './step-counter.ts';
import { shownTags, TAG, type Tags, withTags } from './tags.ts';

/** What the door keeps with a run for its client. */
export interface RunState extends Record<string, unknown> {
  tags: Tags;
  /** Metrics that are logged without a step, whose steps are counted. */
  counted: string[];
  /** The newest requests with values of these, which a client may send again. */
  requests: PlacedRequest[];
}

/** Requests that are kept, and metrics in all of them together, at least those of the newest. */
const KEPT = { requests: 32, metrics: 1_000 };

/** What is kept with a run, as it was stored. */
export function stateOf(stored: Record<string, unknown> | null | undefined): RunState {
  return { tags: {}, counted: [], requests: [], ...stored };
}

/** A run that an MLflow client writes. */
export class LoggedRun {
  readonly polled: PolledRun;
  readonly #db: Database;
  /** Changes of tags, one after the other, so that the page shows the newest. */
  readonly #inTurn = pLimit(1);
  /** Resolves when it is known what the run had before this process; null where nobody has asked yet. */
  #counter: Promise<StepCounter> | null;

  /** @param isNew whether the run began just now. */
  constructor(polled: PolledRun, db: Database, isNew: boolean) {
    this.polled = polled;
    this.#db = db;
    this.#counter = isNew ? Promise.resolve(new StepCounter(() => null)) : null;
  }

  async log(metrics: readonly SentMetric[]): Promise<void> {
    if (metrics.length === 0) return;
    const read = metrics.map(readMetric);
    const readings = read.filter((reading): reading is Reading => reading !== null);
    const counter = await this.#recalled();
    const placed = counter.place(readings);
    const request = counter.requestOf(readings, placed);
    if (request) await this.#keepRequest(counter, request); // before the steps: they may come again once they are stored
    await this.polled.steps(rowsOf(placed));
    const wrong = metrics.filter((_, at) => read[at] === null);
    await this.polled.leaveOutAll(
      wrong.map(({ key }) => ({ field: `custom.${storableText(key, 200)}`, reason: 'not a number', count: 1 })),
    );
  }

  async configure(params: readonly { key: string; value: string }[]): Promise<void> {
    if (params.length === 0) return;
    await this.polled.describe({ config: Object.fromEntries(params.map(({ key, value }) => [key, value])) });
  }

  async setTags(set: readonly { key: string; value: string }[]): Promise<void> {
    if (set.length === 0) return;
    await this.#changeTags((tags) => withTags(tags, set));
    const newest = (tag: string) => set.findLast(({ key }) => key === tag)?.value;
    const [name, notes] = [newest(TAG.name), newest(TAG.notes)];
    if (name !== undefined || notes !== undefined)
      await this.polled.describe({ ...(name !== undefined && { name }), ...(notes !== undefined && { notes }) });
  }

  async deleteTag(key: string): Promise<void> {
    await this.#changeTags(({ [key]: _, ...others }) => others);
  }

  #changeTags(change: (tags: Tags) => Tags): Promise<void> {
    return this.#inTurn(async () => {
      const changed = await changeRunState(this.#db, this.polled.id, (stored) => {
        const state = stateOf(stored);
        return { ...state, tags: change(state.tags) };
      });
      await this.polled.describe({ tags: shownTags(stateOf(changed).tags) });
    });
  }

  async #keepRequest({ counted }: StepCounter, request: PlacedRequest): Promise<void> {
    const names = [...counted];
    await changeRunState(this.#db, this.polled.id, (stored) => {
      const state = stateOf(stored);
      const others = state.requests.filter(({ id }) => id !== request.id);
      return {
        ...state,
        counted: [...new Set([...state.counted, ...names])],
        requests: newestOf([...others, request]),
      };
    });
  }

  #recalled(): Promise<StepCounter> {
    this.#counter ??= this.#recall().catch((error) => {
      this.#counter = null; // the next request tries again
      throw error;
    });
    return this.#counter;
  }

  async #recall(): Promise<StepCounter> {
    const { id } = this.polled;
    const [run, source, values] = await Promise.all([
      getRun(this.#db, id),
      getRunSource(this.#db, id),
      latestValues(this.#db, [id]),
    ]);
    const latest = values.get(id);
    if (!run || !latest) throw new Error(`run ${id} is gone`);
    for (const { name: field } of SCALAR_FIELDS) {
      if (run.names[field] === undefined || latest.fields.has(field)) continue;
      const last = await latestOfField(this.#db, id, field); // or it would be counted from 0 again
      if (last) latest.fields.set(field, last);
    }
    const named = byClientNames(run.names, latest);
    const { counted, requests } = stateOf(source?.state);
    const isCounted = new Set(counted);
    const storedOf = (key: string): StoredMetric | null => {
      const stored = named.get(key);
      return stored ? { ...stored, isCounted: isCounted.has(key) } : null;
    };
    return new StepCounter(storedOf, requests);
  }
}

function newestOf(requests: readonly PlacedRequest[]): PlacedRequest[] {
  let room = KEPT.metrics;
  return requests
    .toReversed()
    .slice(0, KEPT.requests)
    .filter(({ starts }, at) => {
      room -= starts.length;
      return at === 0 || room >= 0;
    })
    .toReversed();
}
