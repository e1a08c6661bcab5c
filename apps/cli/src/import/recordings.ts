import type { StepInput } from '@evenkeel/emit';
import { type EndStatus, MAX_TIME, MIN_STEP_TIME, printable } from '@evenkeel/protocol';
import { byRun, type RecordedAttempt, type Recording, RecordingError, readRecordings } from '@evenkeel/recordings';
import { counted } from '../counted.ts';
import { Failure } from '../failure.ts';
import { checkServer, type Delivery, deliver } from './deliver.ts';
import { report, reportProgress } from './report.ts';
import { importedId } from './run-id.ts';

/** A step without a time counts as so much later than the one before. */
const STEP_MS = 1_000;

/** An attempt of a recorded run, as it is imported. */
interface Import {
  file: string;
  recorded: RecordedAttempt;
  run: string;
  project: string;
  name: string;
  startedAt: number;
  endedAt: number;
  status: EndStatus;
  reason: string | null;
}

/** What an import of recordings is asked for. */
export interface RecordingsRequest {
  server: string;
  /** The project of all runs, in place of their own. */
  project?: string | undefined;
  dryRun?: boolean | undefined;
  json?: boolean | undefined;
}

/** Imports recordings of Evenkeel: files, or glob patterns of them. Nothing is sent where one of them is wrong. */
export async function importRecordings(files: readonly string[], request: RecordingsRequest): Promise<void> {
  const imports = await readImports(files, request.project);
  const print = request.json ? printJson : printLine;
  if (request.dryRun) for (const each of imports) print(each);
  else await sendAll(imports, request.server, print);
  if (!request.json) console.log(summary(imports, request));
}

/** Every file is read and validated before anything is sent. */
async function readImports(files: readonly string[], project: string | undefined): Promise<Import[]> {
  const imports: Import[] = [];
  for await (const recording of readRecordings(files, report)) {
    const guess = guesses(recording);
    for (const recorded of recording.runs) imports.push(describe(recording.file, recorded, { project, guess }));
  }
  warnOfDuplicates(imports);
  return imports;
}

function describe(
  file: string,
  recorded: RecordedAttempt,
  { project: wanted, guess }: { project: string | undefined; guess: Guesses },
): Import {
  const { start, finish, firstTime, lastTime, lastStep } = recorded;
  const project = wanted ?? start.project ?? 'imported';
  refuseSeconds(file, start.startedAt ?? firstTime);
  const startedAt = absolute(start.startedAt) ?? absolute(firstTime) ?? guess.startedAt;
  const { status, reason } = finish ?? guessedEnd(recorded, guess.nextAttempts.get(recorded));
  return {
    file,
    recorded,
    run: importedId('evenkeel recording', project, start.id),
    project,
    name: start.name ?? start.id,
    startedAt,
    endedAt: timeSince(startedAt, finish?.endedAt ?? lastTime) ?? timeOf(startedAt, lastStep ?? 0),
    status,
    reason,
  };
}

/** Defaults from the whole recording, for attempts whose lines lack a time. */
interface Guesses {
  /** In milliseconds since 1970. */
  startedAt: number;
  /** The number of the attempt that continued one, if any. */
  nextAttempts: ReadonlyMap<RecordedAttempt, number>;
}

/** A recording that has no times counts as one that ended when its file was last written. */
function guesses({ modifiedAt, runs }: Recording): Guesses {
  const lastStep = runs.reduce((last, run) => Math.max(last, run.lastStep ?? 0), 0);
  return { startedAt: Math.max(MIN_STEP_TIME, modifiedAt - lastStep * STEP_MS), nextAttempts: nextAttempts(runs) };
}

function nextAttempts(runs: readonly RecordedAttempt[]): Map<RecordedAttempt, number> {
  const found = new Map<RecordedAttempt, number>();
  for (const attempts of byRun(runs)) {
    const numbers = [...new Set(attempts.map(({ start }) => start.attempt))].sort((a, b) => a - b);
    const nextOf = new Map(numbers.map((number, at) => [number, numbers[at + 1]]));
    for (const attempt of attempts) {
      const next = nextOf.get(attempt.start.attempt);
      if (next !== undefined) found.set(attempt, next);
    }
  }
  return found;
}

function timeOf(startedAt: number, step: number): number {
  return Math.min(Math.max(startedAt + step * STEP_MS, MIN_STEP_TIME), MAX_TIME);
}

/** @throws Failure where an attempt begins at a time that is plausible only as seconds since 1970. */
function refuseSeconds(file: string, time: number | null | undefined): void {
  if (time == null || time < MIN_STEP_TIME / 100 || time >= MIN_STEP_TIME) return;
  throw new Failure(
    `${file}: the time ${time} looks like seconds: times are milliseconds since 1970, or since the start`,
  );
}

/** Null for a time that counts from the beginning of its attempt. */
function absolute(time: number | null | undefined): number | null {
  return time != null && time >= MIN_STEP_TIME ? time : null;
}

/** In milliseconds since 1970, where a recording may count from the beginning of the attempt. */
function timeSince(startedAt: number, time: number | null | undefined): number | null {
  return absolute(time) ?? (time == null ? null : startedAt + time);
}

/** The status of an attempt whose end was not recorded. */
function guessedEnd({ lastLoss }: RecordedAttempt, next: number | undefined): Pick<Import, 'status' | 'reason'> {
  if (next !== undefined) return { status: 'stopped', reason: `continued as attempt ${next}` };
  if (!lastLoss || Number.isFinite(lastLoss.loss))
    return { status: 'finished', reason: 'its recording does not say how it ended' };
  return { status: 'failed', reason: `loss is not finite at step ${lastLoss.step}` };
}

/** Names such as "run 1" are not unique; runs of the same name in two files are imported as one. */
function warnOfDuplicates(imports: readonly Import[]): void {
  const files = new Map<string, string>();
  for (const { file, run, recorded } of imports) {
    const { id, attempt } = recorded.start;
    const other = files.get(`${run} ${attempt}`) ?? file;
    if (other !== file)
      report(`run "${id}" is in ${other} and in ${file}: it is imported as one run; --project keeps them apart`);
    files.set(`${run} ${attempt}`, other);
  }
}

async function sendAll(imports: readonly Import[], server: string, print: (each: Import) => void): Promise<void> {
  await checkServer(server);
  const sent = { runs: 0, steps: 0 };
  using _progress = reportProgress(
    () => `${sent.runs} of ${imports.length} runs are imported, ${sent.steps} steps so far`,
  );
  try {
    for (const each of imports) {
      await deliver(deliveryOf(each), server, () => {
        sent.steps += 1;
      });
      sent.runs += 1;
      print(each);
    }
  } catch (error) {
    if (!(error instanceof Failure || error instanceof RecordingError)) throw error;
    throw new Failure(missing(imports, sent.runs, server, error.message));
  }
}

function deliveryOf({ recorded, run, project, name, startedAt, endedAt, status, reason }: Import): Delivery {
  const { config, owner, tags, notes, attempt } = recorded.start;
  const { layers } = recorded;
  return {
    start: { id: run, attempt, startedAt, project, name, config, owner, tags, notes, layers },
    steps: stepsOf(recorded, startedAt),
    status,
    reason,
    endedAt,
  };
}

async function* stepsOf(recorded: RecordedAttempt, startedAt: number): AsyncGenerator<StepInput> {
  for await (const step of recorded.readSteps())
    yield { ...step, time: timeSince(startedAt, step.time) ?? timeOf(startedAt, step.step) };
}

function missing(imports: readonly Import[], sent: number, server: string, why: string): string {
  const { file, recorded } = imports[sent] as Import;
  const later = imports.length - sent - 1;
  const what = `run "${recorded.start.id}" of ${file}${later > 0 ? ` and the ${later} after it` : ''}`;
  return `${why}\nNot imported to ${server}, or only in part: ${what}. The import can be repeated.`;
}

function printJson({ file, recorded, run, project, name, status }: Import): void {
  const { id: recordedId, attempt } = recorded.start;
  console.log(JSON.stringify({ run, attempt, project, name, status, steps: recorded.steps, file, recordedId }));
}

function printLine({ recorded, run, project, name, status }: Import): void {
  const { attempt } = recorded.start;
  const which = attempt === 1 ? run : `${run}, attempt ${attempt}`;
  console.log(printable(`${project} / ${name}: ${counted(recorded.steps, 'steps')}, ${status} (${which})`));
}

function summary(imports: readonly Import[], { server, dryRun }: RecordingsRequest): string {
  const runs = new Set(imports.map(({ run }) => run)).size;
  const steps = imports.reduce((sum, { recorded }) => sum + recorded.steps, 0);
  const what = `${counted(runs, 'runs')} with ${counted(steps, 'steps')}`;
  return dryRun ? `${what} can be imported; nothing was sent.` : `${what}: all imported to ${server}.`;
}
