import { DropCount, type DroppedValue, quoteNonFinite, storableText } from '@evenkeel/protocol';
import { z } from 'zod';
import { toJson } from './json.ts';
import { type OutputLine, readOutputLine } from './output-line.ts';
import { type PlacedRow, ROW_KEYS, RowPlacer } from './place-row.ts';
import { type Row, readRow } from './row.ts';
import type { RunState } from './run-state.ts';
import { StepRules } from './step-rules.ts';
import { placeSystemMetrics, type StepTime } from './system-metrics.ts';

/** Lines of a file from a line on. */
const lines = z.object({ offset: z.number().int().min(0).default(0), content: z.array(z.string()) });
/** Some lines of a file, parsed. */
export type Lines = z.infer<typeof lines>;

/** What a client posts of its run; every part may be absent. */
export const fileStream = z.looseObject({
  files: z
    .looseObject({
      'wandb-history.jsonl': lines.optional(),
      'wandb-events.jsonl': lines.optional(),
      'wandb-summary.json': lines.optional(),
      'output.log': lines.optional(),
    })
    .nullish(),
  /** Nothing comes after this. */
  complete: z.boolean().nullish(),
  exitcode: z.number().int().nullish(),
});
/** A parsed {@link fileStream}. */
export type FileStream = z.infer<typeof fileStream>;

/** Why a value of a row is counted as not kept. */
const NO_NUMBER = 'text, lists, media and histograms are not kept';
const UNREADABLE = 'is no line of JSON';
const NO_STEP = 'has no step in range';
/** Characters of a name under which something is counted. */
const MAX_FIELD_LENGTH = 200;
/** Pieces of a process's output that are known, the latest: lines of former ones change no more. */
const MAX_PIECES = 8;
/** Characters of a summary that is kept for a resumed run. */
const MAX_SUMMARY_LENGTH = 65_536;

/** What a post adds to a run. */
export interface Added {
  rows: PlacedRow[];
  output: OutputLine[];
  notKept: DroppedValue[];
  /** To be kept once the rest is stored. */
  state: RunState;
}

/** `_timestamp` of the first line; null where it has none. */
export function firstTime({ content }: Lines): number | null {
  const [line] = content;
  return (line !== undefined && readRow(line)?.values.get('_timestamp')) || null;
}

/**
 * What a post adds. Lines of rows that are stored already are left out, so a post may come again.
 * @param now the time of what has none, in milliseconds since 1970.
 */
export function readFiles({ files }: FileStream, state: RunState, now: number): Added {
  const added: Added = { rows: [], output: [], notKept: [], state };
  const notKept = new DropCount();
  const history = files?.['wandb-history.jsonl'];
  const events = files?.['wandb-events.jsonl'];
  const marks = state.newest ? [state.newest] : [];
  if (history) addHistory(added, history, marks, notKept);
  if (events) addEvents(added, events, marks, notKept);
  addOutput(added, files?.['output.log'], now);
  added.state = { ...added.state, summary: summaryOf(files?.['wandb-summary.json']) ?? state.summary };
  added.notKept = notKept.values();
  return added;
}

/** @param marks gets the steps of the rows. */
function addHistory(added: Added, file: Lines, marks: StepTime[], notKept: DropCount): void {
  const { state } = added;
  const placer = new RowPlacer(new StepRules(state.stepRules), state.stepValues);
  let tail = state.historyTail;
  for (const line of newLines(file, state.historyLines)) {
    const row = readLine('history', line, notKept);
    if (!row) continue;
    const placed = placer.place(row);
    if (placed.length === 0 && row.values.size > ROW_KEYS.length) notKept.add('history', NO_STEP);
    added.rows.push(...placed);
    const [main] = placed;
    if (main?.time != null) marks.push({ step: main.step, time: main.time });
    tail = tailOf(row);
  }
  added.state = {
    ...state,
    historyLines: linesAfter(file, state.historyLines),
    firstHistory: state.firstHistory ?? (file.offset === 0 ? firstTime(file) : null),
    lastHistory: placeOf(file) ?? state.lastHistory,
    historyTail: tail,
    stepValues: placer.seen,
    newest: marks.at(-1) ?? null,
  };
}

function addEvents(added: Added, file: Lines, marks: readonly StepTime[], notKept: DropCount): void {
  const { state } = added;
  let tail = state.eventsTail;
  for (const line of newLines(file, state.eventsLines)) {
    const row = readLine('system metrics', line, notKept);
    if (!row) continue;
    const placed = placeSystemMetrics(row, marks);
    if (placed) added.rows.push(placed);
    tail = tailOf(row);
  }
  added.state = {
    ...state,
    eventsLines: linesAfter(file, state.eventsLines),
    firstEvents: state.firstEvents ?? (file.offset === 0 ? firstTime(file) : null),
    lastEvents: placeOf(file) ?? state.lastEvents,
    eventsTail: tail,
  };
}

/**
 * A line of output that comes again may have another text, as that of a progress bar. Lines of several processes stand on
 * the console in the order in which they come.
 */
function addOutput(added: Added, file: Lines | undefined, now: number): void {
  if (!file) return;
  const { state } = added;
  const known = linesAfter(file, state.outputLines);
  const next = state.nextLine ?? state.outputLines;
  const last = state.output.at(-1);
  const goesOn = last !== undefined && last.line + state.outputLines - last.from === next;
  const isLonger = known > state.outputLines;
  const begin = { from: Math.max(file.offset, state.outputLines), line: next };
  const output = goesOn || !isLonger ? state.output : [...state.output, begin].slice(-MAX_PIECES);
  added.output = file.content.flatMap((line, at) => {
    const place = output.findLast(({ from }) => from <= file.offset + at);
    return place ? [readOutputLine(line, place.line + file.offset + at - place.from, now)] : [];
  });
  const end = added.output.reduce((most, { line }) => Math.max(most, line + 1), next);
  added.state = { ...state, output, outputLines: known, nextLine: state.nextLine === null ? null : end };
}

function placeOf(file: Lines): RunState['lastHistory'] {
  return file.content.length === 0 ? null : { offset: file.offset, time: firstTime(file) };
}

function newLines({ offset, content }: Lines, known: number): string[] {
  return content.slice(Math.max(0, known - offset));
}

function linesAfter({ offset, content }: Lines, known: number): number {
  return Math.max(known, offset + content.length);
}

function readLine(what: string, line: string, notKept: DropCount): Row | null {
  const row = readRow(line);
  if (!row) notKept.add(what, UNREADABLE);
  for (const name of row?.notKept ?? []) notKept.add(`custom.${storableText(name, MAX_FIELD_LENGTH)}`, NO_NUMBER);
  return row;
}

function tailOf({ values }: Row): Record<string, number> {
  return Object.fromEntries([...values].filter(([name, value]) => ROW_KEYS.includes(name) && Number.isFinite(value)));
}

/** As a client reads it: numbers that JSON has no word for are text. Null where it is none, or too long to be kept. */
function summaryOf(file: Lines | undefined): string | null {
  const summary = quoteNonFinite(file?.content.at(-1) ?? '');
  return summary.length <= MAX_SUMMARY_LENGTH && toJson(summary) !== null ? summary : null;
}
