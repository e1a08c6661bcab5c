import { z } from 'zod';
import type { Found, RunFacts } from '../format.ts';
import type { Losses } from '../losses.ts';
import { delimited, readMessage } from '../protobuf.ts';
import { parsePythonJson } from '../python-json.ts';
import type { RecordReader } from '../record-decoder.ts';
import {
  type Item,
  type Output,
  RECORD,
  readConfig,
  readExit,
  readHistory,
  readMetric,
  readOutput,
  readRun,
  type StepMetric,
} from './record.ts';
import { rowsOf } from './rows.ts';

const ALERT = delimited(9);
const ARTIFACT = delimited(8);

const stateSchema = z.object({
  stepMetrics: z.array(z.object({ name: z.string(), isGlob: z.boolean(), stepMetric: z.string() })).default([]),
  /** The beginning of the line that is being printed, by stream. */
  line: z.object({ stdout: z.string(), stderr: z.string() }).default({ stdout: '', stderr: '' }),
});

/** What W&B's records mean. */
export class WandbReader implements RecordReader {
  readonly #losses: Losses;
  readonly #stepMetrics: StepMetric[];
  readonly #line: { stdout: string; stderr: string };

  constructor(losses: Losses, state: unknown) {
    this.#losses = losses;
    const { stepMetrics, line } = stateSchema.parse(state ?? {});
    this.#stepMetrics = stepMetrics;
    this.#line = line;
  }

  get state(): z.output<typeof stateSchema> {
    return { stepMetrics: [...this.#stepMetrics], line: { ...this.#line } };
  }

  read(record: Uint8Array, found: Found[]): void {
    readMessage(record, (tag, reader) => {
      if (!this.#reads(tag)) return false;
      found.push(...this.#readKind(tag, reader.bytes()));
      return true;
    });
  }

  #reads(tag: number): boolean {
    if (tag === ARTIFACT) this.#losses.add('artifacts', 'files are not read');
    if (tag === ALERT) this.#losses.add('alerts', 'those of other tools are not read');
    return KINDS.has(tag);
  }

  #readKind(tag: number, bytes: Uint8Array): Found[] {
    switch (tag) {
      case RECORD.history:
        return rowsOf(readHistory(bytes), this.#stepMetrics, this.#losses);
      case RECORD.config:
        return [{ kind: 'run', config: configOf(readConfig(bytes)) }];
      case RECORD.metric:
        this.#define(readMetric(bytes));
        return [];
      case RECORD.output:
        return this.#linesOf(readOutput(bytes));
      case RECORD.run:
        return [runOf(bytes)];
      default:
        return [endOf(readExit(bytes))];
    }
  }

  /** A rule replaces the one of the same name. */
  #define(rule: StepMetric): void {
    const known = this.#stepMetrics.findIndex(({ name, isGlob }) => name === rule.name && isGlob === rule.isGlob);
    if (known >= 0) this.#stepMetrics[known] = rule;
    else if (rule.stepMetric !== '') this.#stepMetrics.push(rule);
  }

  #linesOf({ stream, time, text }: Output): Found[] {
    const lines = (this.#line[stream] + text).split('\n');
    this.#line[stream] = (lines.pop() ?? '').slice(0, MAX_LINE_LENGTH);
    return lines.map((line) => ({ kind: 'console', line: { stream, time, text: line, cut: 0 } }));
  }
}

const KINDS = new Set<number>(Object.values(RECORD));
/** Of a line without an end, such as a progress bar's, no more is kept. */
const MAX_LINE_LENGTH = 10_000;

function runOf(bytes: Uint8Array): Found {
  const { id, project, name, notes, tags, startedAt, config } = readRun(bytes);
  const facts: RunFacts = { config: configOf(config) };
  if (id) facts.id = id;
  if (project) facts.project = project;
  if (name) facts.name = name;
  if (notes) facts.notes = notes;
  if (tags.length > 0) facts.tags = tags;
  if (startedAt !== null) facts.startedAt = startedAt;
  return { kind: 'run', ...facts };
}

function configOf(items: readonly Item[]): Record<string, unknown> {
  const own = items.filter(({ path }) => path[0] !== '_wandb'); // what W&B notes about itself
  return Object.fromEntries(own.map(({ path, json }) => [path.join('.'), parsePythonJson(json)]));
}

function endOf(code: number): Found {
  if (code === 0) return { kind: 'end', status: 'finished', reason: null, endedAt: null };
  return { kind: 'end', status: 'failed', reason: `exit code ${code}`, endedAt: null };
}
