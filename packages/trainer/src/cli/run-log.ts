import { type CommandHandler, startRun } from '@evenkeel/emit';
import type { EndStatus } from '@evenkeel/protocol';
import { RecordingError, RecordingWriter } from '@evenkeel/recordings';
import type { TrainedStep } from '../train.ts';
import { UsageError } from '../usage-error.ts';
import { policyOf, type TrainFlags } from './flags.ts';

/** What describes an attempt of a run to a server and in a recording. */
export interface RunFacts {
  id: string;
  attempt: number;
  name: string;
  config: Record<string, unknown>;
  layers: string[];
}

type Start = RunFacts & Pick<TrainFlags, 'project' | 'owner' | 'tags' | 'notes'> & { startedAt: number };

/** Where a run is logged: on a server, in a file, or both. */
export interface RunLog {
  /** In words for people. */
  place: string;
  /** Aborted when the server stops the run. */
  signal: AbortSignal;
  log(step: TrainedStep): void;
  /** Resolves when everything is delivered, or cannot be. */
  finish(status: EndStatus, reason?: string): Promise<void>;
}

/** @throws UsageError where the recording cannot be written. */
export async function openRunLog(flags: TrainFlags, facts: RunFacts, onCommand: CommandHandler): Promise<RunLog> {
  const { project, owner, tags, notes } = flags;
  const start: Start = { ...facts, project, owner, tags, notes, startedAt: Date.now() };
  const file = flags.record ?? (flags.offline ? `${facts.id}.jsonl` : null);
  const logs: RunLog[] = [];
  if (file !== null) logs.push(await recordInto(file, start));
  if (!flags.offline) logs.push(await sendTo(flags, start, onCommand));
  return {
    place: logs.map(({ place }) => place).join(' and '),
    signal: AbortSignal.any(logs.map(({ signal }) => signal)),
    log: (step) => {
      for (const each of logs) each.log(step);
    },
    finish: async (status, reason) => {
      await Promise.all(logs.map((each) => each.finish(status, reason)));
    },
  };
}

async function recordInto(path: string, start: Start): Promise<RunLog> {
  const writer = await RecordingWriter.open(path, start).catch((error) => {
    throw error instanceof RecordingError ? new UsageError(`--record: ${error.message}`) : error;
  });
  return {
    place: `recorded in ${path}`,
    signal: new AbortController().signal,
    log: (step) => writer.log(step),
    finish: (status, reason) => writer.finish(status, reason),
  };
}

async function sendTo(flags: TrainFlags, start: Start, onCommand: CommandHandler): Promise<RunLog> {
  const { server, key } = flags;
  const run = await startRun({ ...start, server, key: key || undefined, policy: policyOf(flags), onCommand });
  return {
    place: `on ${server}`,
    signal: run.signal,
    log: run.log,
    finish: async (status, reason) => void (await run.finish(status, reason)),
  };
}
