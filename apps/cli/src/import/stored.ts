import { createInterface } from 'node:readline/promises';
import { printable } from '@evenkeel/protocol';
import { ask, type Client, connect } from '../client.ts';
import { Failure } from '../failure.ts';
import type { RunsRequest } from './runs.ts';
import type { ScannedRun } from './scan.ts';

/** A run is on the server with other contents, and stays. */
export class OtherContents extends Failure {}

type Stored = NonNullable<Awaited<ReturnType<Client['run']['get']['query']>>>;

/**
 * Makes room for a run on the server: what is there under its id with other contents is deleted, where that is wanted.
 * @returns whether anything of it is missing there.
 * @throws OtherContents where it is there with other contents and stays.
 */
export async function prepareServer(scanned: ScannedRun, { server, replace }: RunsRequest): Promise<boolean> {
  const client = connect(server);
  const stored = await ask(server, find(client, scanned.run));
  if (!stored) return true;
  const difference = differenceOf(stored, scanned);
  if (difference === null) return !isComplete(stored, scanned);
  const what = `${server} has run "${stored.name}" of project "${stored.project}" with other contents: ${difference}`;
  if (!replace && !(await isAgreed(what))) throw new OtherContents(what);
  await ask(server, client.run.delete.mutate({ run: scanned.run, name: stored.name }));
  return true;
}

async function find(client: Client, run: string): Promise<Stored | null> {
  return client.run.get.query({ run }).catch((error) => {
    if (error.data?.code === 'NOT_FOUND') return null;
    throw error;
  });
}

/** What the server has that is not of this source; null where it has nothing else, though maybe not all. */
function differenceOf({ attempts }: Stored, scanned: ScannedRun): string | null {
  for (const stored of attempts) {
    const attempt = scanned.attempts.find(({ number }) => number === stored.number);
    const which = `attempt ${stored.number}`;
    if (!attempt) return `${which} is not in ${scanned.source.source}`;
    if (scanned.hasTimes && stored.startedAt.getTime() !== Math.floor(attempt.startedAt))
      return `${which} began at ${stored.startedAt.toISOString()}, not at ${new Date(attempt.startedAt).toISOString()}`;
    if ((stored.lastStep ?? attempt.lastStep) > attempt.lastStep)
      return `${which} goes to step ${stored.lastStep}, not to ${attempt.lastStep}`;
    if ((stored.firstStep ?? attempt.firstStep) < attempt.firstStep)
      return `${which} begins with step ${stored.firstStep}, not with ${attempt.firstStep}`;
  }
  return null;
}

/** Whether an import has come to its end before. */
function isComplete({ status, attempts }: Stored, scanned: ScannedRun): boolean {
  if (status === 'running' || attempts.length !== scanned.attempts.length) return false;
  return scanned.attempts.every(({ lastStep }, at) => attempts[at]?.lastStep === lastStep && attempts[at]?.endedAt);
}

/** Asks who sits at the terminal; nobody agrees where there is none. */
async function isAgreed(what: string): Promise<boolean> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return false;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    const answer = await terminal.question(`${printable(what)}\nDelete it there and import it again? [y/N] `);
    return /^y(es)?$/i.test(answer.trim());
  } finally {
    terminal.close();
  }
}
