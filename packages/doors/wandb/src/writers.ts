import { type FileStream, firstTime, type Lines } from './file-stream.ts';
import { readRow } from './row.ts';
import { type RunState, runState, type Writer } from './run-state.ts';

/** Other processes that are remembered. */
const MAX_OTHERS = 32;
/** A job that is started again takes longer than this after its last row, in seconds; clocks of one job differ less. */
const START_SECONDS = 1;

/**
 * The state in which the process that posts is the one that posted last: nothing in a post names it, so it is recognized
 * by the first lines, or by how many lines it has sent before these.
 */
export function turnTo(posted: FileStream, state: RunState): RunState {
  const { others, nextLine, summary, origin, stepRules, isResuming, stop, ...latest } = state;
  const writers: Writer[] = [latest, ...others];
  const fits = writers.map((writer) => fitOf(posted, writer));
  const best = Math.max(...fits);
  const chosen = writers[fits.indexOf(best)];
  if (!chosen || best === NONE) return withNew(state, writers);
  if (chosen === latest) return state;
  return { ...state, ...chosen, hasEnded: false, others: writers.filter((writer) => writer !== chosen) };
}

function withNew(state: RunState, writers: readonly Writer[]): RunState {
  const { origin: _o, others: _, nextLine: _n, summary: _s, stepRules: _r, isResuming: _i, stop: _t, ...fresh } = NEW;
  const nextLine = state.nextLine ?? state.outputLines;
  return { ...state, ...fresh, output: [], isNew: true, nextLine, others: writers.slice(0, MAX_OTHERS) };
}

const NEW = runState.parse({});

const NONE = -1;

/** How well a post goes on from what a process has sent; {@link NONE} where it cannot be of it. */
function fitOf({ files }: FileStream, writer: Writer): number {
  const rows = [
    fitOfRows(files?.['wandb-history.jsonl'], {
      known: writer.historyLines,
      first: writer.firstHistory,
      last: writer.lastHistory,
      tail: writer.historyTail,
    }),
    fitOfRows(files?.['wandb-events.jsonl'], {
      known: writer.eventsLines,
      first: writer.firstEvents,
      last: writer.lastEvents,
      tail: writer.eventsTail,
    }),
  ];
  if (rows.includes(NONE)) return NONE;
  const sum = rows.reduce((all, fit) => all + fit, 0);
  return sum > 0 ? sum : fitOfLines(files?.['output.log'], writer.outputLines);
}

/** Of one file of a process. */
interface Sent {
  known: number;
  first: number | null;
  last: Writer['lastHistory'];
  tail: Writer['historyTail'];
}

function fitOfRows(file: Lines | undefined, { known, first, last, tail }: Sent): number {
  if (!file || file.content.length === 0) return 0;
  const time = firstTime(file);
  if (file.offset === 0 && first !== null) return time === first ? SAME : NONE;
  if (last && last.offset === file.offset && last.time === time) return SAME; // the same post again
  return fitOfLines(file, known) + nearness(file, tail);
}

/** More than whatever else speaks for a process. */
const SAME = 8;

function fitOfLines(file: Lines | undefined, known: number): number {
  if (!file || file.content.length === 0) return 0;
  return file.offset === known ? 2 : 1;
}

/** Of two that have sent as much the one that began at about the same time: below 1, since clients do not count exactly. */
function nearness(file: Lines, { _timestamp, _runtime }: Writer['historyTail']): number {
  const [began, known] = [startOf(file), (_timestamp ?? Number.NaN) - (_runtime ?? 0)];
  return began === null || Number.isNaN(known) ? 0 : 0.9 / (1 + Math.abs(began - known));
}

/**
 * Whether the new process that posts begins the next attempt: all others have ended, or it began after their last rows. Null
 * while that cannot be seen.
 */
export function beginsAttempt({ files }: FileStream, { others }: RunState): boolean | null {
  if (others.every(({ hasEnded }) => hasEnded)) return true;
  const history = files?.['wandb-history.jsonl'];
  const began = history && startOf(history);
  if (began == null) return null;
  const times = others.flatMap(({ historyTail, eventsTail }) => [historyTail._timestamp, eventsTail._timestamp]);
  return began > Math.max(...times.map((time) => time ?? 0)) + START_SECONDS;
}

/** When the process of these rows began, in seconds since 1970. */
function startOf({ content }: Lines): number | null {
  const values = content[0] === undefined ? null : (readRow(content[0])?.values ?? null);
  const began = (values?.get('_timestamp') ?? Number.NaN) - (values?.get('_runtime') ?? 0);
  return Number.isFinite(began) ? began : null;
}
