import { EventEmitter, once } from 'node:events';
import { type Database, findRunSource, getRun, keepRunState, type RunDetail } from '@evenkeel/db';
import { type Ingest, type NewPolledRun, type PolledDescription, type PolledRun, PolledRuns } from '@evenkeel/ingest';
import { type PolicyInput, type Principal, RefusedError, type RunEnd } from '@evenkeel/protocol';
import { type FileStream, readFiles } from './file-stream.ts';
import { ORIGIN, policyOf, readConfig } from './run-config.ts';
import { pathOf, type RunKey, runIdOf } from './run-key.ts';
import { ended, type RunState, restarted, resumed, runState } from './run-state.ts';
import { Turns } from './turns.ts';
import { beginsAttempt, turnTo } from './writers.ts';

const DOOR = 'wandb';
const NO_END = 'its job was started again, and had not reported an end';
const NO_EXIT_CODE = 'its client did not report an exit code';
const STOP_WAIT_MS = 1_000;
const NO_ACCESS = 'to resume a run takes an ingest key, or the access token, as WANDB_API_KEY';
const ONLY_STOP = 'a script of W&B can only be stopped';

/** What a client says of its run; what is null stays as it is. */
export interface SentRun {
  name: string | null;
  notes: string | null;
  tags: string[] | null;
  /** As {@link readConfig} reads it. */
  config: string | null;
  group: string | null;
  jobType: string | null;
  program: string | null;
  host: string | null;
  /** Counts where the run begins. */
  owner: string | null;
}

/** A run that a client asks for to go on with it. */
export interface ResumedRun {
  id: string;
  run: RunDetail;
  state: RunState;
}

interface WandbRunsOptions {
  ingest: Ingest;
  db: Database;
  now: () => Date;
  /** How long the answer to whether a script is to stop waits for a post; a second where it is left out. */
  stopWaitMs?: number | undefined;
}

interface Opened {
  polled: PolledRun;
  state: RunState;
  isNew: boolean;
}

/**
 * The runs of clients of W&B. Each method serves one request, of which a run's come in turn; whatever fails may be sent
 * again.
 */
export class WandbRuns {
  readonly #options: WandbRunsOptions;
  readonly #runs: PolledRuns;
  readonly #turns = new Turns();
  /** A run's path, whenever something that its client has posted is stored. */
  readonly #posts = new EventEmitter().setMaxListeners(0);
  /** What is stored as the state of runs that are open. */
  readonly #states = new WeakMap<PolledRun, RunState>();

  constructor(options: WandbRunsOptions) {
    this.#options = options;
    this.#runs = new PolledRuns({ ...options, door: DOOR });
  }

  /** Starts a run, its next attempt where its client has asked to resume it, or changes what describes it. */
  upsert(principal: Principal, key: RunKey, sent: SentRun): Promise<{ id: string; state: RunState; isNew: boolean }> {
    return this.#turns.take(pathOf(key), async () => {
      const { description, origin, stepRules, policy } = readSent(sent);
      const begun = { ...withOrigin(description, origin), owner: sent.owner };
      const opened = await this.#open(principal, key, begun, policy);
      const { polled, isNew } = opened;
      let { state } = opened;
      if (state.isResuming) {
        state = resumed(state);
        await this.#beginAttempt(polled, state, policy);
      }
      state = { ...state, origin: { ...state.origin, ...origin }, stepRules: stepRules ?? state.stepRules };
      if (!isNew) await polled.describe(withOrigin(description, state.origin));
      await this.#keep(polled, state);
      return { id: polled.id, state, isNew };
    });
  }

  /**
   * What a client needs to go on with a run; null where there is none. Its next upsert starts an attempt.
   * @param mayRead whether it may read a run that there is.
   * @throws RefusedError by the field `access` where it may not.
   */
  askToResume(principal: Principal, key: RunKey, mayRead: () => boolean): Promise<ResumedRun | null> {
    return this.#turns.take(pathOf(key), async () => {
      const found = await findRunSource(this.#options.db, DOOR, pathOf(key));
      if (!found) return null;
      if (!mayRead()) throw new RefusedError('access', NO_ACCESS);
      const polled = await this.#runs.open(principal, found.run);
      const run = await getRun(this.#options.db, polled.id);
      if (!run) return null;
      const state = runState.parse(found.state);
      await this.#keep(polled, { ...state, isResuming: true });
      return { id: polled.id, run, state };
    });
  }

  /** Stores what a client posts. @returns whether its script is to stop. */
  async post(principal: Principal, key: RunKey, posted: FileStream): Promise<boolean> {
    const isStopped = await this.#post(principal, key, posted);
    this.#posts.emit(pathOf(key));
    return isStopped;
  }

  #post(principal: Principal, key: RunKey, posted: FileStream): Promise<boolean> {
    return this.#turns.take(pathOf(key), async () => {
      const known = await this.#known(principal, key);
      if (!known) return this.#store(await this.#open(principal, key, {}), posted);
      try {
        return await this.#store(known, posted);
      } catch (error) {
        this.#states.delete(known.polled); // what of it is stored is not known
        if (!(error instanceof RefusedError) || error.retry) throw error;
        return this.#store(await this.#open(principal, key, {}), posted); // it may have been deleted
      }
    });
  }

  async #store({ polled, state: former }: Opened, posted: FileStream): Promise<boolean> {
    let state = turnTo(posted, former);
    const begins = state.isNew && beginsAttempt(posted, state);
    if (begins) {
      state = restarted(state);
      await this.#beginAttempt(polled, state);
    } else if (begins === false) state = { ...state, isNew: false };
    if (posted.complete) state = ended(state);
    const added = readFiles(posted, state, this.#options.now().getTime());
    await polled.steps(added.rows);
    await polled.console(added.output);
    await this.#keep(polled, added.state); // only now: what is not counted there comes again
    await polled.leaveOutAll(added.notKept);
    if (added.rows.length > 0) await this.#options.ingest.judged(polled.id); // the next post comes only after 15 s
    const stop = await this.#stopOf(polled, added.state);
    if (posted.complete && state.others.every(({ hasEnded }) => hasEnded)) await polled.finish(endOf(posted, stop));
    return stop !== null;
  }

  /**
   * Whether a script is to stop. wandb 0.21 asks every 15 s, at the moment at which it posts what it has logged: the answer
   * waits a little for the post, or what that leads to would stop the script only 15 s later.
   */
  async isStopped(principal: Principal, key: RunKey): Promise<boolean> {
    const asked = await this.#askStop(principal, key);
    if (asked.isStopped || !asked.hasLines) return asked.isStopped;
    const limit = AbortSignal.timeout(this.#options.stopWaitMs ?? STOP_WAIT_MS);
    await once(this.#posts, pathOf(key), { signal: limit }).catch(() => {});
    return (await this.#askStop(principal, key)).isStopped;
  }

  #askStop(principal: Principal, key: RunKey): Promise<{ isStopped: boolean; hasLines: boolean }> {
    return this.#turns.take(pathOf(key), async () => {
      const { polled, state } = await this.#open(principal, key, {});
      const hasLines = state.historyLines + state.eventsLines > 0;
      return { isStopped: (await this.#stopOf(polled, state)) !== null, hasLines };
    });
  }

  /** Records an alert that a script raises itself. */
  report(principal: Principal, key: RunKey, text: string): Promise<void> {
    return this.#turns.take(pathOf(key), async () => (await this.#open(principal, key, {})).polled.report(text));
  }

  /** Counts what a client wants to send and nothing is kept of. */
  leaveOut(principal: Principal, key: RunKey, what: { field: string; reason: string; count: number }): Promise<void> {
    return this.#turns.take(pathOf(key), async () => {
      const { polled } = await this.#open(principal, key, {});
      await polled.leaveOutAll([what]);
    });
  }

  close(): void {
    this.#runs.close();
  }

  /** A run that is open, as this process has left it; null where the database is to be asked. */
  async #known(principal: Principal, key: RunKey): Promise<Opened | null> {
    const polled = await this.#runs.opened(principal, runIdOf(key));
    const state = polled && this.#states.get(polled);
    return state ? { polled, state, isNew: false } : null;
  }

  /** A run that is not there, as after it was deleted, is started. */
  async #open(
    principal: Principal,
    key: RunKey,
    description: PolledDescription & Pick<NewPolledRun, 'owner'>,
    policy?: PolicyInput,
  ): Promise<Opened> {
    const { db, now } = this.#options;
    const externalId = pathOf(key);
    const found = await findRunSource(db, DOOR, externalId);
    if (found) {
      const polled = await this.#runs.open(principal, found.run);
      return { polled, state: runState.parse(found.state), isNew: false };
    }
    const polled = await this.#runs.begin(principal, {
      name: key.name,
      ...description,
      run: runIdOf(key),
      externalId,
      project: key.project,
      startedAt: now().getTime(),
      policy,
    });
    return { polled, state: runState.parse({}), isNew: true };
  }

  /** The next attempt of a run, after the end of the one before; kept at once, so that a request sent again begins no other. */
  async #beginAttempt(polled: PolledRun, state: RunState, policy?: PolicyInput): Promise<void> {
    await polled.finish({ status: 'failed', reason: NO_END });
    await polled.resume(policy);
    await this.#keep(polled, state);
  }

  async #keep(polled: PolledRun, state: RunState): Promise<void> {
    await keepRunState(this.#options.db, polled.id, state);
    this.#states.set(polled, state);
  }

  /** The command to stop that a run has been given; other commands fail. */
  async #stopOf(polled: PolledRun, state: RunState): Promise<RunState['stop']> {
    if (state.stop) return state.stop;
    let stop: RunState['stop'] = null;
    for (const { id, kind, reason } of await polled.pendingCommands()) {
      if (kind !== 'stop') await polled.settle({ id, result: null, error: ONLY_STOP });
      else {
        stop = { id, reason };
        await this.#keep(polled, { ...state, stop }); // first: once it is acknowledged it does not come again
        await polled.acknowledge(id);
      }
    }
    return stop;
  }
}

function readSent(sent: SentRun) {
  const read = sent.config === null ? null : readConfig(sent.config);
  const description: PolledDescription = {
    ...(sent.name !== null && { name: sent.name }),
    ...(sent.notes !== null && { notes: sent.notes }),
    ...(sent.tags !== null && { tags: sent.tags }),
    ...(read && { config: read.config }),
  };
  const { group, jobType, program, host } = sent;
  const named = Object.entries({ group, job_type: jobType, program, host });
  const origin = Object.fromEntries(named.filter((entry): entry is [string, string] => entry[1] !== null));
  const policy = policyOf(read?.config ?? {}, sent.tags ?? []);
  return { description, origin, stepRules: read?.stepRules ?? null, policy };
}

function withOrigin(description: PolledDescription, origin: RunState['origin']): PolledDescription {
  if (Object.keys(origin).length === 0) return description;
  return { ...description, config: { ...description.config, [ORIGIN]: origin } };
}

function endOf({ exitcode }: FileStream, stop: RunState['stop']): RunEnd {
  if (stop) return { status: 'stopped', reason: stop.reason };
  if (exitcode == null) return { status: 'finished', reason: NO_EXIT_CODE };
  return exitcode === 0 ? { status: 'finished', reason: null } : { status: 'failed', reason: `exit code ${exitcode}` };
}
