import type { IncomingMessage, ServerResponse } from 'node:http';
import { archiveRun, type ClientRun, type Database, getRunSource, latestValues, pageClientRuns } from '@evenkeel/db';
import { type Ingest, type Log, type PolledRun, PolledRuns, type Readers } from '@evenkeel/ingest';
import { authorOf, type EndStatus, type Principal, parse, RefusedError, storableText } from '@evenkeel/protocol';
import { type Context, Hono } from 'hono';
import { stream } from 'hono/streaming';
import pLimit, { type LimitFunction } from 'p-limit';
import { v7 } from 'uuid';
import type { z } from 'zod';
import { MlflowError } from './error.ts';
import {
  createExperiment,
  getExperiment,
  getExperimentByName,
  projectNameOf,
  searchExperiments,
} from './experiments.ts';
import * as inputs from './inputs.ts';
import { LoggedRun } from './logged-run.ts';
import { metricHistory } from './metric-history.ts';
import { Bodies, secretOf } from './request.ts';
import { fromClientId, noSuchRun, toClientId } from './run-id.ts';
import { infoOf, runJson } from './run-json.ts';
import { inventName } from './run-name.ts';
import { searchRuns, valuesOf } from './search.ts';
import { shownTags, TAG, withTags } from './tags.ts';

const API = '/api/2.0/mlflow';
const ARTIFACTS = '/api/2.0/mlflow-artifacts/artifacts';
/** What stands at the root for clients that are given no prefix. */
export const MLFLOW_FOLDERS = ['/api/2.0/mlflow/', '/api/2.0/mlflow-artifacts/'];
const TOO_MANY_WRONG = 'too many wrong tokens: wait a minute';
const COMMANDS_FAIL = 'a client of MLflow carries out no command: it asks the server for none';
/** Operations that read, at once and waiting. */
const READS = { running: 4, waiting: 64 };
/** How long a client may leave a part of an answer untaken, in milliseconds. */
const STALL_MS = 30_000;
const NOT_KEPT = {
  artifact: 'artifact not kept',
  input: 'data set not kept',
  model: 'model not kept',
} as const;
const END_STATUS = new Map<string, EndStatus>([
  ['FINISHED', 'finished'],
  ['FAILED', 'failed'],
  ['KILLED', 'stopped'],
]);

interface MlflowDoorOptions {
  ingest: Ingest;
  db: Database;
  now: () => Date;
  log: Log;
  readers: Readers;
}

/** Who sends a request. */
interface Caller {
  /** Null for who may only read. */
  writer: Principal | null;
  /** The ingest key whose runs it reads, null for those of none; undefined for all. */
  key: string | null | undefined;
  /** It may write without a key, and presents something that is no access token: what it reads would confirm a guess. */
  isGuess: boolean;
}

interface Env {
  Bindings: { incoming: IncomingMessage; outgoing: ServerResponse };
  Variables: { caller: Caller };
}

/** Stands in for MLflow's tracking server: its clients send runs here, and read runs that came in any way. */
export class MlflowDoor {
  /** Every operation, below wherever it is mounted. */
  readonly app: Hono;
  readonly #routes = new Hono<Env>();
  readonly #options: MlflowDoorOptions;
  readonly #runs: PolledRuns;
  readonly #logged = new WeakMap<PolledRun, LoggedRun>();
  readonly #bodies = new Bodies();
  readonly #reading = pLimit(READS.running);
  /** Apart from the others, since each lasts as long as its client takes. */
  readonly #readingHistory = pLimit(READS.running);

  constructor(options: MlflowDoorOptions) {
    this.#options = options;
    const { ingest, db, now } = options;
    this.#runs = new PolledRuns({ ingest, db, now, door: 'mlflow', commandsFail: COMMANDS_FAIL });
    this.#routes.onError((error, context) => this.#fail(error, context));
    this.#routes.use(async (context, next) => {
      context.header('Cache-Control', 'no-store');
      context.set('caller', await this.#callerOf(context));
      await next();
    });
    this.#addReads();
    this.#addWrites();
    this.#addArtifacts();
    this.#routes.all('*', ({ req }) => {
      throw new MlflowError(
        'ENDPOINT_NOT_FOUND',
        `Evenkeel does not have ${req.method} ${req.path.slice(0, 200)} of MLflow`,
      );
    });
    // The client prints links to `/#/experiments/…`. A browser keeps what is behind the # when it follows a redirect.
    const home = '/:nothing{$}?'; // with a slash at its end or without
    this.app = new Hono().get(home, (context) => context.redirect('/')).route('/', this.#routes);
  }

  /** Its runs count as connected no longer. */
  close(): void {
    this.#runs.close();
  }

  async #callerOf(context: Context<Env>): Promise<Caller> {
    const { readers } = this.#options;
    const secret = secretOf(context.req.header('authorization'));
    if (!readers.isOpen && secret !== undefined && readers.isToken(secret)) {
      const writer = await this.#authenticate(undefined).catch((error) => {
        if (error instanceof MlflowError) return null; // it needs a key to write
        throw error;
      });
      return { writer, key: undefined, isGuess: false };
    }
    const writer = await this.#authenticate(secret).catch((error) => {
      if (secret !== undefined && error instanceof MlflowError) this.#countWrong(context);
      throw error;
    });
    if (readers.isOpen) return { writer, key: undefined, isGuess: false };
    return { writer, key: keyOf(writer), isGuess: secret !== undefined && writer.kind !== 'key' };
  }

  /** @throws MlflowError where the client's address has presented too many wrong secrets. */
  #countWrong({ env }: Context<Env>): void {
    if (!this.#options.readers.countWrong(env.incoming))
      throw new MlflowError('REQUEST_LIMIT_EXCEEDED', TOO_MANY_WRONG);
  }

  #readerOf(context: Context<Env>): Caller {
    const caller = context.get('caller');
    if (caller.isGuess) this.#countWrong(context);
    return caller;
  }

  /** @throws MlflowError where the ingest key is wrong, or missing although one is needed. */
  #authenticate(secret: string | undefined): Promise<Principal> {
    return this.#options.ingest.authenticateRequest(secret).catch((error) => {
      throw error instanceof RefusedError ? new MlflowError('UNAUTHENTICATED', error.message) : error;
    });
  }

  #addReads(): void {
    const { db } = this.#options;
    const { readers } = db;
    this.#read('GET', 'experiments/get', inputs.numberedExperiment, ({ experiment_id }) =>
      getExperiment(readers, experiment_id),
    );
    this.#read('GET', 'experiments/get-by-name', inputs.namedExperiment, ({ experiment_name }) =>
      getExperimentByName(readers, experiment_name),
    );
    for (const method of ['GET', 'POST'])
      this.#read(method, 'experiments/search', inputs.experimentSearch, (search, { key }) => {
        refuseStrangers(key);
        if (search.view_type === true) return Promise.resolve({}); // none is ever deleted
        const { filter, max_results: maxResults, page_token: pageToken } = search;
        return searchExperiments(readers, { filter, maxResults, pageToken, key });
      });
    this.#read('GET', 'runs/get', inputs.anyRun, async ({ run_id: run }, caller) => {
      const found = await this.#find(readers, run, caller.key);
      const values = await latestValues(readers, [found.id]);
      return { run: runJson(found, valuesOf(values, found.id)) };
    });
    this.#read('POST', 'runs/search', inputs.runSearch, (search, { key }) => {
      refuseStrangers(key);
      return searchRuns(readers, {
        experimentIds: search.experiment_ids,
        filter: search.filter,
        orderBy: search.order_by,
        maxResults: search.max_results,
        offset: search.page_token,
        archived: search.run_view_type,
        key,
      });
    });
    this.#read('GET', 'artifacts/list', inputs.anyRun, async () => ({ files: [] }));
    this.#routes.get(`${API}/metrics/get-history`, async (context) => {
      const asked = parse(inputs.history, context.req.query());
      const { key } = this.#readerOf(context);
      const run = await inLimit(this.#readingHistory, () => this.#find(readers, asked.run_id, key));
      const query = { key: asked.metric_key, maxResults: asked.max_results ?? null, from: asked.page_token };
      context.header('Content-Type', 'application/json');
      return stream(
        context,
        (answer) =>
          this.#readingHistory(async () => {
            for await (const piece of metricHistory(readers, run, query)) {
              if (answer.aborted) return;
              const stalled = setTimeout(() => context.env.outgoing.destroy(), STALL_MS);
              await answer.write(piece).finally(() => clearTimeout(stalled));
            }
          }),
        async (error) => this.#options.log('error', `reading a metric of run ${run.id} failed`, error),
      );
    });
  }

  #addWrites(): void {
    const { db, now } = this.#options;
    this.#write('experiments/create', inputs.newExperiment, ({ name }) => createExperiment(db, name, now()));
    this.#write('experiments/set-experiment-tag', inputs.numberedExperiment, async () => ({}));
    this.#write('runs/create', inputs.newRun, (given, writer) => this.#create(given, writer));
    this.#write('runs/update', inputs.runUpdate, (given, writer) => this.#update(given, writer));
    this.#write('runs/log-metric', inputs.oneMetric, async ({ run_id: run, ...metric }, writer) => {
      await (await this.#open(writer, run)).log([metric]);
      return {};
    });
    this.#write('runs/log-parameter', inputs.oneParam, async ({ run_id: run, ...param }, writer) => {
      await (await this.#open(writer, run)).configure([param]);
      return {};
    });
    this.#write('runs/set-tag', inputs.oneParam, async ({ run_id: run, ...tag }, writer) => {
      await (await this.#open(writer, run)).setTags([tag]);
      return {};
    });
    this.#write('runs/delete-tag', inputs.oneTag, async ({ run_id: run, key }, writer) => {
      await (await this.#open(writer, run)).deleteTag(key);
      return {};
    });
    this.#write('runs/log-batch', inputs.batch, async ({ run_id: run, params, tags, metrics }, writer) => {
      const logged = await this.#open(writer, run);
      await logged.configure(params);
      await logged.setTags(tags);
      await logged.log(metrics);
      return {};
    });
    for (const [operation, field] of [
      ['log-inputs', 'input'],
      ['log-model', 'model'],
      ['outputs', 'model'],
    ] as const)
      this.#write(`runs/${operation}`, inputs.anyRun, async ({ run_id: run }, writer) => {
        await (await this.#open(writer, run)).polled.leaveOut(field, NOT_KEPT[field]);
        return {};
      });
    for (const [operation, archived] of [
      ['delete', true],
      ['restore', false],
    ] as const)
      this.#write(`runs/${operation}`, inputs.anyRun, async ({ run_id: run }, writer) => {
        const { polled } = await this.#open(writer, run);
        await archiveRun(db, { run: polled.id, archived, by: authorOf(writer, null) }, now());
        return {};
      });
  }

  /** Bytes are read and dropped, so that a training script goes on. */
  #addArtifacts(): void {
    this.#routes.put(`${ARTIFACTS}/*`, async (context) => {
      const writer = writerOf(context.get('caller'));
      for await (const _ of context.req.raw.body ?? []) {
        // not kept
      }
      const [, run] = context.req.path.slice(context.req.path.indexOf(ARTIFACTS) + ARTIFACTS.length + 1).split('/');
      await (await this.#open(writer, run ?? '')).polled.leaveOut('artifact', NOT_KEPT.artifact);
      return context.body(null, 200);
    });
    this.#routes.get(ARTIFACTS, (context) => context.json({}));
  }

  #read<Schema extends z.ZodType>(
    method: string,
    operation: string,
    schema: Schema,
    act: (input: z.output<Schema>, caller: Caller) => Promise<object>,
  ): void {
    this.#routes.on(method, `${API}/${operation}`, async (context) => {
      const caller = this.#readerOf(context);
      const answer = async (input: unknown) => act(parse(schema, input), caller);
      const read = () => (method === 'GET' ? answer(context.req.query()) : this.#bodies.use(context.req.raw, answer));
      return context.json(await inLimit(this.#reading, read));
    });
  }

  #write<Schema extends z.ZodType>(
    operation: string,
    schema: Schema,
    act: (input: z.output<Schema>, writer: Principal) => Promise<object>,
  ): void {
    this.#routes.post(`${API}/${operation}`, async (context) => {
      const writer = writerOf(context.get('caller'));
      return context.json(await this.#bodies.use(context.req.raw, async (body) => act(parse(schema, body), writer)));
    });
  }

  async #create(given: z.output<typeof inputs.newRun>, writer: Principal): Promise<object> {
    const { db, now } = this.#options;
    const tags = withTags({}, given.tags);
    const run = v7({ msecs: now().getTime() });
    const parent = tags[TAG.parent];
    const polled = await this.#runs.begin(writer, {
      run,
      externalId: toClientId(run),
      project: await projectNameOf(db, given.experiment_id),
      name: given.run_name || tags[TAG.name] || inventName(run),
      owner: storableText(tags[TAG.owner] || given.user_id, 200) || null,
      tags: shownTags(tags),
      notes: tags[TAG.notes] ?? '',
      startedAt: given.start_time ?? now().getTime(),
      parent: parent ? await this.#parentOf(parent, writer) : null,
      state: { tags, counted: [], requests: [] },
    });
    this.#logged.set(polled, new LoggedRun(polled, db, true));
    const found = await this.#find(db, run, keyOf(writer));
    return { run: runJson(found, { fields: new Map(), custom: new Map() }) };
  }

  /** A run of another key is no parent: its page would list what that key did not send. */
  async #parentOf(id: string, writer: Principal): Promise<string | null> {
    try {
      return (await this.#find(this.#options.db, id, keyOf(writer))).id;
    } catch (error) {
      if (error instanceof MlflowError) return null;
      throw error;
    }
  }

  async #update(
    { run_id: run, status, end_time, run_name }: z.output<typeof inputs.runUpdate>,
    writer: Principal,
  ): Promise<object> {
    const { polled } = await this.#open(writer, run);
    if (run_name) await polled.describe({ name: run_name });
    const ended = END_STATUS.get(status);
    if (ended)
      await polled.finish({ status: ended, reason: null, ...(end_time !== undefined && { endedAt: end_time }) });
    else if (status === 'RUNNING') await polled.resume();
    return { run_info: infoOf(await this.#find(this.#options.db, run, keyOf(writer))) };
  }

  /** @throws MlflowError where there is no such run of this door, or it belongs to another key. */
  async #open(writer: Principal, clientId: string): Promise<LoggedRun> {
    const { db } = this.#options;
    const run = fromClientId(clientId);
    const polled = await this.#runs.open(writer, run).catch(async (error) => {
      if (!(error instanceof RefusedError) || error.retry) throw error;
      if (await getRunSource(db, run)) throw new MlflowError('PERMISSION_DENIED', error.message);
      throw noSuchRun(clientId);
    });
    const known = this.#logged.get(polled);
    if (known) return known;
    const logged = new LoggedRun(polled, db, false);
    this.#logged.set(polled, logged);
    return logged;
  }

  async #find(db: Database, clientId: string, key: Caller['key']): Promise<ClientRun> {
    const { rows } = await pageClientRuns(db, { ids: [fromClientId(clientId)], key, limit: 1 });
    const [found] = rows;
    if (!found) throw noSuchRun(clientId);
    return found;
  }

  #fail(error: unknown, context: Context): Response {
    const failure = this.#failureOf(error, context);
    return context.json(failure.toAnswer(), failure.status);
  }

  /** What is not the client's fault is answered so that it sends the same again. */
  #failureOf(error: unknown, { req }: Context): MlflowError {
    if (error instanceof MlflowError) return error;
    if (error instanceof RefusedError && !error.retry)
      return new MlflowError('INVALID_PARAMETER_VALUE', `${error.field}: ${error.message}`);
    if (!(error instanceof RefusedError)) this.#options.log('error', `${req.method} ${req.path} failed`, error);
    return new MlflowError('TEMPORARILY_UNAVAILABLE', 'the server failed: try again');
  }
}

/** @throws MlflowError where too many wait already. */
function inLimit<Answer>(limit: LimitFunction, read: () => Promise<Answer>): Promise<Answer> {
  if (limit.pendingCount >= READS.waiting)
    throw new MlflowError('REQUEST_LIMIT_EXCEEDED', 'too many requests to read are waiting: try again');
  return limit(read);
}

function keyOf(principal: Principal): string | null {
  return principal.kind === 'key' ? principal.id : null;
}

/** Who may write without a key sees the runs whose ids it knows, and not which there are: that takes the access token. */
function refuseStrangers(key: Caller['key']): void {
  if (key === null) throw new MlflowError('PERMISSION_DENIED', 'to search takes the access token or an ingest key');
}

function writerOf({ writer }: Caller): Principal {
  if (writer) return writer;
  throw new MlflowError('PERMISSION_DENIED', 'the access token only reads: to write takes an ingest key');
}
