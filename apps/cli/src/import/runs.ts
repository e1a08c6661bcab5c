import type { StepInput } from '@evenkeel/emit';
import { printable } from '@evenkeel/protocol';
import { Failure } from '../failure.ts';
import { checkServer, deliver } from './deliver.ts';
import { printRun, summaryOf } from './print.ts';
import { report, reportProgress } from './report.ts';
import { type AttemptStep, type ScannedAttempt, type ScannedRun, scanRun, stepsOf } from './scan.ts';
import { sourceRuns } from './sources.ts';
import { OtherContents, prepareServer } from './stored.ts';

/** What an import of other trackers' runs is asked for. */
export interface RunsRequest {
  server: string;
  /** The project of all runs, in place of their own. */
  project?: string | undefined;
  /** The one format that is read. */
  format?: string | undefined;
  /** Whether a run that the server has with other contents is deleted first. */
  replace?: boolean | undefined;
  dryRun?: boolean | undefined;
  json?: boolean | undefined;
}

/** Imports the runs of files, folders and databases, one after the other. It can be repeated where it was interrupted. */
export async function importRuns(paths: readonly string[], request: RunsRequest): Promise<void> {
  if (!request.dryRun) await checkServer(request.server);
  const done = { runs: 0, steps: 0, refused: 0 };
  using _progress = reportProgress(
    () => `${done.runs} runs are ${request.dryRun ? 'read' : 'imported'}, ${done.steps} steps so far`,
  );
  for (const path of paths) {
    for await (const source of sourceRuns(path, request.format)) {
      const scanned = await scanRun(source, request.project);
      if (!scanned.isEmpty) await handleRun(scanned, request, done);
    }
  }
  if (!request.json) console.log(summaryOf(done, request));
  if (done.refused > 0) throw new Failure(refusal(done.refused));
}

interface Done {
  runs: number;
  steps: number;
  /** Runs that are on the server with other contents. */
  refused: number;
}

async function handleRun(scanned: ScannedRun, request: RunsRequest, done: Done): Promise<void> {
  try {
    const isNew = request.dryRun || (await importRun(scanned, request, done));
    printRun(scanned, { isNew, json: request.json });
  } catch (error) {
    if (!(error instanceof OtherContents)) throw error;
    report(error.message);
    done.refused += 1;
    return;
  }
  if (scanned.attempts.length > 0) done.runs += 1;
  if (request.dryRun) for (const { steps } of scanned.attempts) done.steps += steps;
}

function refusal(count: number): string {
  const what = count === 1 ? 'a run of the same id' : `${count} runs of the same ids`;
  return `${what} with other contents stayed: --replace deletes and imports again, --project imports beside`;
}

/** @returns whether anything was missing on the server. */
async function importRun(scanned: ScannedRun, request: RunsRequest, done: Done): Promise<boolean> {
  try {
    if (!(await prepareServer(scanned, request))) return false;
    await sendRun(scanned, request.server, () => {
      done.steps += 1;
    });
    return true;
  } catch (error) {
    if (!(error instanceof Failure) || error instanceof OtherContents) throw error;
    const what = printable(`run "${scanned.name}" of ${scanned.source.source}`);
    throw new Failure(`${error.message}\nNot imported, or only in part: ${what}. The import can be repeated.`);
  }
}

async function sendRun(scanned: ScannedRun, server: string, onStep: () => void): Promise<void> {
  const steps = new AttemptSteps(stepsOf(scanned.source, () => {}));
  for (const attempt of scanned.attempts) {
    const dropped = await deliver(
      {
        start: startOf(scanned, attempt),
        steps: steps.of(attempt.number),
        status: attempt.status,
        reason: attempt.reason,
        endedAt: attempt.endedAt,
      },
      server,
      onStep,
    );
    for (const { field, reason, count } of dropped) scanned.losses.push({ what: `values of ${field}`, reason, count });
  }
}

function startOf({ run, project, name, config, tags, notes }: ScannedRun, { number, startedAt }: ScannedAttempt) {
  return { id: run, attempt: number, startedAt, project, name, config, tags, notes, mapNames: true };
}

/** The steps of all attempts, which are read once, one attempt after the other. */
class AttemptSteps {
  readonly #steps: AsyncIterator<AttemptStep>;
  #next: Promise<IteratorResult<AttemptStep>>;

  constructor(steps: AsyncGenerator<AttemptStep>) {
    this.#steps = steps;
    this.#next = steps.next();
  }

  async *of(number: number): AsyncGenerator<StepInput> {
    for (;;) {
      const { done, value } = await this.#next;
      if (done || value.attempt !== number) return;
      this.#next = this.#steps.next();
      yield { step: value.step, time: value.time, custom: value.values };
    }
  }
}
