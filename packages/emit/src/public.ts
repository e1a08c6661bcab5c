import type { StepArray, StepScalar } from '@evenkeel/protocol';

// All that a user of this package sees. scripts/declare.mjs makes the published declarations of this file and puts the
// names of step fields in place of the import: no other import may stand here.

/**
 * A step as a trainer logs it. `time`, milliseconds since 1970, is filled in where it is absent; arrays may be typed
 * arrays. NaN and infinities are values; what is null or absent is not reported.
 */
export type StepInput = {
  /** The number of the optimizer update: an integer from -2^40 to 2^40. */
  step: number;
  time?: number | null | undefined;
  /** Any further scalars by name; at most 10,000 names in a run, each of 1 to 500 characters. */
  custom?: Readonly<Record<string, number>> | null | undefined;
} & { [Name in StepScalar]?: number | null | undefined } & {
  [Name in StepArray]?: ArrayLike<number> | null | undefined;
};

/** What is to be done about an alert. */
export type Reaction =
  | { kind: 'observe' }
  | { kind: 'checkpoint' }
  | { kind: 'stop' }
  /** `factor`: from 1e-6 on, below 1. */
  | { kind: 'reduce-lr'; factor: number };

/** What the server is to do about alerts, by severity; what is absent is `observe`. */
export interface PolicyInput {
  warning?: Reaction | undefined;
  critical?: Reaction | undefined;
}

/** What the server, or a person through it, asks of a run. */
export type Command = {
  /** A UUID. */
  id: string;
  /** The run's id. */
  run: string;
  /** Who gave it: a rule, or a person. */
  by: string | null;
  reason: string;
} & Exclude<Reaction, { kind: 'observe' }>;

/**
 * Carries a command out. Resolves once that is done, with a result in words for the history of the run; rejects
 * where it cannot be done.
 */
// biome-ignore lint/suspicious/noConfusingVoidType: a handler that returns nothing is one
export type CommandHandler = (command: Command) => Promise<string | undefined | void> | string | undefined | void;

/** How a run ends by itself: `lost` is the server's word. */
export type EndStatus = 'finished' | 'stopped' | 'failed';

/** Options of {@link startRun}. Only `server`, `project` and `name` are needed. */
export interface StartRunOptions {
  /** The server's address, such as http://127.0.0.1:4870; a path in it is ignored. */
  server: string | URL;
  /** An ingest key; needed as soon as the server has one. */
  key?: string | undefined;
  project: string;
  name: string;
  /** Anything that JSON can carry, BigInts, NaN and infinities; other values are left out, as `JSON.stringify` does. */
  config?: Record<string, unknown> | undefined;
  owner?: string | null | undefined;
  tags?: readonly string[] | undefined;
  notes?: string | undefined;
  /** Names of the layers; `layerGradVar` and `layerOutVar` of every step then have as many values. */
  layers?: readonly string[] | undefined;
  /** Whether names of custom scalars that trackers use for a field of a step, such as `train/loss`, stand for it. */
  mapNames?: boolean | undefined;
  /** A UUID; a new one of version 7 by default. Pass the former one to go on with a run. */
  id?: string | undefined;
  /**
   * 1 by default; one more each time that a run goes on from a checkpoint. `next` lets the server count: one more than
   * the newest. `resume` goes on with the newest attempt, or opens the next where that has ended.
   */
  attempt?: number | 'next' | 'resume' | undefined;
  /** Milliseconds since 1970; now by default. */
  startedAt?: number | undefined;
  /** What the server is to do about alerts, by severity: nothing by default. */
  policy?: PolicyInput | undefined;
  /**
   * Carries commands out. Without it the run obeys `stop` alone, through its `signal`; with it `signal` is aborted too.
   * Resolve once the command is carried out, with words for the history of the run; reject where it cannot be.
   */
  onCommand?: CommandHandler | undefined;
  /**
   * The folder of the spool: files that hold what the server has not acknowledged, so that it survives the process.
   * False for none. By default `.evenkeel/spool` in the current folder, or what EVENKEEL_SPOOL names (`false` for none).
   */
  spool?: string | false | undefined;
  /**
   * Whether the end of the process ends the run: an uncaught exception as `failed`, SIGINT or SIGTERM, where nothing
   * else listens to it, as `stopped`. True by default. The process ends as it would have.
   */
  handleExit?: boolean | undefined;
  /**
   * Called with each problem: the first time, the 10th, the 100th and so on; `console.warn` by default. The kind is the
   * same for problems that are counted together; `notice: …` where all steps are stored, `value: …` where a value of a
   * step was left out and counted.
   */
  onWarning?: ((message: string, kind: string) => void) | undefined;
}

/** A value that was left out of steps. */
export interface DroppedValue {
  /** Such as `loss`, `custom.accuracy`, or `step` where the whole step was dropped. */
  field: string;
  /** Such as `not a number`. */
  reason: string;
  /** In how many steps. */
  count: number;
}

/** The attempt that a run's steps are of. */
export interface OpenedAttempt {
  attempt: number;
  /** The last step that the server had of the run's newest attempt when it was asked; null where that has none. */
  lastStep: number | null;
}

/** Options of waiting for a run. */
export interface WaitOptions {
  /** Ends the waiting: the promise then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** Options of {@link Run.finish}. */
export interface FinishOptions {
  /** Milliseconds that the server is given to take what is still pending; 10,000 by default. */
  timeoutMs?: number | undefined;
  /** When the run ended, in milliseconds since 1970, where that is not now. */
  endedAt?: number | undefined;
}

/** The result of {@link Run.finish}. */
export interface FinishResult {
  /** Whether the server has every step that `log` took, and the end of the run. */
  delivered: boolean;
  /** Steps that the server has not acknowledged. */
  pending: number;
  /**
   * The file that holds what the server does not have, for the next `startRun` of the same folder or `evenkeel sync`;
   * null where there is none.
   */
  spool: string | null;
  /** Values that were left out, here or by the server, by field and reason. */
  dropped: DroppedValue[];
}

/** A run that is being recorded. Nothing of it throws, whatever it is given and whatever the server does. */
export interface Run {
  readonly id: string;
  /** Which attempt this is; null until the server has said it, where `startRun` was given `next` or `resume`. */
  readonly attempt: number | null;
  /**
   * Resolves once the server has opened the attempt, with the first answer however often the connection breaks; null
   * where the run is over before. Keeps the process alive until then, which may be forever where the server is away.
   */
  readonly opened: (options?: WaitOptions) => Promise<OpenedAttempt | null>;
  /** Aborted when the server asks the run to stop; its `reason` is an Error that says why. */
  readonly signal: AbortSignal;
  /** Steps that the server has not acknowledged yet; a step too wide for one message counts once for each part. */
  readonly pending: number;
  /** Records a step. The event is copied, so the caller may use it again. */
  readonly log: (step: StepInput) => void;
  /**
   * Resolves once at most so many steps are pending, 0 by default, or the run is over; keeps the process alive until
   * then. A trainer does not need it: it is for programs that read steps faster than a server takes them.
   */
  readonly drained: (max?: number, options?: WaitOptions) => Promise<void>;
  /**
   * Sends what is pending, ends the run and disconnects. Never rejects, and resolves within `timeoutMs`; keeps the
   * process alive until then.
   */
  readonly finish: (
    status?: EndStatus | undefined,
    reason?: string | undefined,
    options?: FinishOptions | undefined,
  ) => Promise<FinishResult>;
}

/**
 * Starts recording a run, or the next attempt of one. Resolves at once, whether the server is there or not.
 * Rejects with a TypeError naming the option that is wrong.
 */
export declare function startRun(options: StartRunOptions): Promise<Run>;

/** Options of {@link syncSpool}. */
export interface SyncOptions {
  server: string | URL;
  key?: string | undefined;
  /** The folder of the spool; by default as `startRun` has it. */
  folder?: string | undefined;
  /** Ends the sending: what is not sent by then is kept. */
  signal?: AbortSignal | undefined;
  /** Called with how many more steps the server has acknowledged. */
  onProgress?: ((steps: number) => void) | undefined;
}

/** The outcome of a file of the spool. */
export interface SyncedFile {
  path: string;
  run: string;
  /** Null where the trainer asked for `next` or `resume`, and no server has said yet which that is. */
  attempt: number | null;
  /**
   * `sent`: the server has all of it, and the file is gone. `held`: a living process writes or sends it. `kept`: it could
   * not be sent, wholly or in part; it may be tried again.
   */
  status: 'sent' | 'held' | 'kept';
  /** Why it is kept. */
  reason: string | null;
  /** Steps that the server acknowledged. */
  steps: number;
  /** Steps that damage to the file has cost, as far as is known. */
  lost: number;
  /** Steps that the server refused for good. */
  refused: number;
  /** Values that the server left out. */
  dropped: DroppedValue[];
}

/**
 * Sends what ended processes have left in a spool, one file after another, and yields the outcome of each.
 * Rejects with a TypeError naming the option that is wrong.
 */
export declare function syncSpool(options: SyncOptions): AsyncGenerator<SyncedFile, void, undefined>;

/** A UUID of version 7 of the time `now`, in milliseconds since 1970. */
export declare function uuidv7(now: number): string;
