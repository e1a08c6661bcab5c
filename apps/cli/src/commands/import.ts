import { createHash } from 'node:crypto';
import { type Run, startRun } from '@evenkeel/emit';
import { type EndStatus, MAX_TIME, MIN_STEP_TIME, name, parse, printable, runId } from '@evenkeel/protocol';
import { Command } from 'commander';
import { z } from 'zod';
import { environment } from '../environment.ts';
import { Failure } from '../failure.ts';
import { byRun, type RecordedAttempt, type Recording, readRecordings } from '../recordings.ts';

/** Steps that may wait for the server; emit's buffer holds many times as many. */
const MOST_PENDING = 10_000;
/** How long a server may take no step at all. */
const PATIENCE_MS = 60_000;
const PROGRESS_MS = 2_000;
/** A step that does not say when it ended counts as so much later than the one before. */
const STEP_MS = 1_000;

interface Flags {
  server: string;
  project?: string;
  json?: boolean;
  dryRun?: boolean;
}

/** An attempt of a recorded run, and what becomes of it on the server. */
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

export function importCommand(): Command {
  return new Command('import')
    .description('bring recorded runs into a server; to import a recording again changes nothing')
    .argument('<file...>', 'recordings: files of JSON lines, also compressed (.gz), or glob patterns')
    .option('--server <url>', 'the running server (EVENKEEL_SERVER)', environment.server)
    .option('--project <name>', 'project of the runs (default: the recording’s, else "imported")')
    .option('--dry-run', 'read and check the files, and send nothing')
    .option('--json', 'print one JSON object for each attempt of a run')
    .addHelpText('after', '\nEVENKEEL_KEY holds the ingest key, where the server asks for one.')
    .action(async (files: string[], flags: Flags) => {
      const imports = await readImports(files, flags);
      const print = flags.json ? printJson : printLine;
      if (flags.dryRun) for (const each of imports) print(each);
      else await sendAll(imports, flags.server, print);
      if (!flags.json) console.log(summary(imports, flags));
    });
}

/** Every file is read, and found right, before anything is sent. */
async function readImports(files: readonly string[], flags: Flags): Promise<Import[]> {
  const { project } = parse(z.object({ project: name.optional() }), flags);
  const imports: Import[] = [];
  for await (const recording of readRecordings(files, tell)) {
    const guess = guesses(recording);
    for (const recorded of recording.runs) imports.push(describe(recording.file, recorded, { project, guess }));
  }
  warnOfNamesakes(imports);
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
    run: runOf(project, start.id),
    project,
    name: start.name ?? start.id,
    startedAt,
    endedAt: timeSince(startedAt, finish?.endedAt ?? lastTime) ?? timeOf(startedAt, lastStep ?? 0),
    status,
    reason,
  };
}

/** The run's id where that is a UUID; otherwise one (of version 8) that the project and the id alone decide. */
function runOf(project: string, id: string): string {
  const uuid = runId.safeParse(id);
  if (uuid.success) return uuid.data;
  const hash = createHash('sha256')
    .update(JSON.stringify(['evenkeel recording', project, id]))
    .digest('hex');
  const variant = (0b1000 | (Number.parseInt(hash.charAt(16), 16) & 0b11)).toString(16);
  return [
    hash.slice(0, 8),
    hash.slice(8, 12),
    `8${hash.slice(13, 16)}`,
    variant + hash.slice(17, 20),
    hash.slice(20, 32),
  ].join('-');
}

/** What a whole recording says of its attempts where their own lines say nothing. */
interface Guesses {
  /** In milliseconds since 1970. */
  startedAt: number;
  /** The number of the attempt that one went on as, where there is one. */
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

/** What is known of an attempt whose end was not recorded. */
function guessedEnd({ lastLoss }: RecordedAttempt, next: number | undefined): Pick<Import, 'status' | 'reason'> {
  if (next !== undefined) return { status: 'stopped', reason: `went on as attempt ${next}` };
  if (!lastLoss || Number.isFinite(lastLoss.loss))
    return { status: 'finished', reason: 'its recording does not say how it ended' };
  return { status: 'failed', reason: `loss is not finite at step ${lastLoss.step}` };
}

/** Names such as "run 1" are not unique; what two files call the same becomes one run. */
function warnOfNamesakes(imports: readonly Import[]): void {
  const files = new Map<string, string>();
  for (const { file, run, recorded } of imports) {
    const { id, attempt } = recorded.start;
    const other = files.get(`${run} ${attempt}`) ?? file;
    if (other !== file) tell(`run "${id}" is in ${other} and in ${file}: it counts as one; --project keeps two apart`);
    files.set(`${run} ${attempt}`, other);
  }
}

async function sendAll(imports: readonly Import[], server: string, print: (each: Import) => void): Promise<void> {
  await checkServer(server);
  const sent = { runs: 0, steps: 0 };
  const progress = () => tell(`${sent.runs} of ${imports.length} runs are imported, ${sent.steps} steps so far`);
  const timer = setInterval(progress, PROGRESS_MS); // it also keeps the process alive, as emit does not
  try {
    for (const each of imports) {
      await send(each, server, () => {
        sent.steps += 1;
      });
      sent.runs += 1;
      print(each);
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    throw new Failure(missing(imports, sent.runs, server, error.message));
  } finally {
    clearInterval(timer);
  }
}

async function checkServer(server: string): Promise<void> {
  if (!URL.canParse(server)) throw new Failure(`--server: "${server}" is not a URL such as http://127.0.0.1:4870`);
  await fetch(new URL('/healthz', server), { signal: AbortSignal.timeout(PATIENCE_MS) }).catch(() => {
    throw new Failure(`no answer from ${server}: start a server with "evenkeel serve", or name another with --server`);
  });
}

/**
 * Sends one attempt as its trainer would have. What emit would warn a trainer of ends an import, which can be repeated; a
 * notice on steps that are stored does not.
 * @throws Failure where the server has not taken all of it.
 */
async function send(each: Import, server: string, onStep: () => void): Promise<void> {
  const { recorded, run: id, project, name, startedAt, endedAt, status, reason } = each;
  const { config, owner, tags, notes, attempt } = recorded.start;
  const trouble = new AbortController();
  const run = await startRun({
    ...{ server, key: environment.key ?? undefined, id, attempt, startedAt },
    ...{ project, name, config, owner, tags, notes, layers: recorded.layers },
    ...{ spool: false, handleExit: false }, // the file is what an import is repeated from
    onWarning: (message, kind) => (kind.startsWith('notice:') ? tell(message) : trouble.abort(new Failure(message))),
  });
  for await (const step of recorded.readSteps()) {
    run.log({ ...step, time: timeSince(startedAt, step.time) ?? timeOf(startedAt, step.step) });
    onStep();
    if (run.pending >= MOST_PENDING) await drained(run, MOST_PENDING / 2, trouble.signal);
    trouble.signal.throwIfAborted();
  }
  await drained(run, 0, trouble.signal);
  const { delivered } = await run.finish(status, reason ?? undefined, { endedAt });
  trouble.signal.throwIfAborted();
  if (!delivered) throw new Failure('the server has not taken the end of the run');
}

/** Resolves once at most so many steps are pending; rejects at the first trouble, and when that takes too long. */
async function drained(run: Run, most: number, trouble: AbortSignal): Promise<void> {
  trouble.throwIfAborted();
  const limit = AbortSignal.any([trouble, AbortSignal.timeout(PATIENCE_MS)]);
  await run.drained(most, { signal: limit }).catch(() => {
    trouble.throwIfAborted();
    throw new Failure(`the server took too few steps in ${PATIENCE_MS / 1000} s`);
  });
}

function missing(imports: readonly Import[], sent: number, server: string, why: string): string {
  const { file, recorded } = imports[sent] as Import;
  const later = imports.length - sent - 1;
  const what = `run "${recorded.start.id}" of ${file}${later > 0 ? ` and the ${later} after it` : ''}`;
  return `${why}\nNot imported to ${server}, wholly or in part: ${what}. It may be repeated.`;
}

function printJson({ file, recorded, run, project, name, status }: Import): void {
  const { id: recordedId, attempt } = recorded.start;
  console.log(JSON.stringify({ run, attempt, project, name, status, steps: recorded.steps, file, recordedId }));
}

function printLine({ recorded, run, project, name, status }: Import): void {
  const { attempt } = recorded.start;
  const which = attempt === 1 ? run : `${run}, attempt ${attempt}`;
  console.log(printable(`${project} / ${name}: ${recorded.steps} steps, ${status} (${which})`));
}

function summary(imports: readonly Import[], { server, dryRun }: Flags): string {
  const runs = new Set(imports.map(({ run }) => run)).size;
  const steps = imports.reduce((sum, { recorded }) => sum + recorded.steps, 0);
  const what = `${runs} ${runs === 1 ? 'run' : 'runs'} with ${steps} steps`;
  return dryRun ? `${what} can be imported; nothing was sent.` : `${what}: all of it is on ${server}.`;
}

function tell(message: string): void {
  console.error(printable(`evenkeel: ${message}`));
}
