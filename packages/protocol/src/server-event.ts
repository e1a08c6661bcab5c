import type { Alert } from './alert.ts';
import type { Command } from './command.ts';
import type { RunStatus } from './run.ts';
import type { StepBatch } from './step.ts';

/** Changes of an alert: each is an event, and a row of its history. */
export const ALERT_CHANGES = ['opened', 'escalated', 'acknowledged', 'resolved', 'noted', 'marked'] as const;
/** See {@link ALERT_CHANGES}. */
export type AlertChange = (typeof ALERT_CHANGES)[number];

/**
 * What happened on a server, after it was committed. Plain data that survives `structuredClone`, so that it can be
 * carried between processes; whoever needs more than it says reads the database.
 */
export type ServerEvent =
  /** An attempt has begun, or its trainer has come back to it. */
  | { kind: 'run started'; run: string; attempt: number }
  | { kind: 'run described'; run: string }
  /** Lines of its console output were stored. */
  | { kind: 'console stored'; run: string }
  /** A person has removed a step of an attempt, or brought it back. */
  | { kind: 'step removed'; run: string; attempt: number; step: number; removed: boolean }
  | { kind: 'run archived'; run: string; archived: boolean }
  | { kind: 'run deleted'; run: string }
  /** An attempt has ended, and the run with it where it is the newest; null where the run is lost. */
  | { kind: 'run ended'; run: string; attempt: number | null; status: Exclude<RunStatus, 'running'> }
  /** As far as they were stored: without the fields of which something was left out. */
  | { kind: 'steps stored'; batch: StepBatch }
  | { kind: `alert ${AlertChange}`; alert: Alert }
  /** To this attempt of its run. */
  | { kind: 'command given'; attempt: number; command: Command }
  /** The trainer has taken it, and carries it out. */
  | { kind: 'command acknowledged'; run: string; id: string }
  /** It is done, or has failed. */
  | { kind: 'command settled'; run: string; id: string }
  /** The risk of a run is another than before. */
  | { kind: 'forecast stored'; run: string }
  | { kind: 'rules changed'; project: string }
  /** An ingest key was created or revoked. */
  | { kind: 'keys changed' };

/** Carries events from where they happen to whoever acts on them. */
export interface EventPort {
  /** Never throws, and does not wait for those who receive it. */
  publish(event: ServerEvent): void;
  /**
   * Calls `receive` for each event from now on, in the order in which they were published. What it throws harms nobody
   * else.
   * @returns what ends it.
   */
  subscribe(receive: (event: ServerEvent) => void): () => void;
}
