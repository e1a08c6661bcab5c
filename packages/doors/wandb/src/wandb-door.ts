import type { IncomingMessage } from 'node:http';
import type { Database } from '@evenkeel/db';
import type { Ingest, Log, Readers } from '@evenkeel/ingest';
import { type Principal, parse, RefusedError, storableText } from '@evenkeel/protocol';
import { type Context, Hono } from 'hono';
import { BodyReader, TooManyBodiesError } from './body-reader.ts';
import { fileStream } from './file-stream.ts';
import { toJson } from './json.ts';
import { answerOperation } from './operations.ts';
import { type RunKey, runIdOf, runKey } from './run-key.ts';
import { WandbRuns } from './wandb-runs.ts';

export interface WandbDoorOptions {
  ingest: Ingest;
  db: Database;
  now: () => Date;
  log: Log;
  readers: Readers;
  /** As in {@link WandbRuns}, for tests. */
  stopWaitMs?: number | undefined;
}

/** How long a client is to wait, in seconds, before it sends the same again. */
const RETRY_AFTER = { 'Retry-After': '5' };
interface Env {
  Bindings: { incoming: IncomingMessage };
}

/** Thrown where a client's address has presented too many wrong secrets. */
class TooManyWrongError extends Error {}

const UNREADABLE = 'could not be read';
const TOO_LARGE = 'is larger than 32 MiB';

/** The API of W&B as far as its client needs it to send a run: unmodified, with `WANDB_BASE_URL` at this door. */
export class WandbDoor {
  readonly app = new Hono();
  readonly #options: WandbDoorOptions;
  readonly #runs: WandbRuns;
  readonly #bodies = new BodyReader();

  constructor(options: WandbDoorOptions) {
    this.#options = options;
    this.#runs = new WandbRuns(options);
    this.app.post('/graphql', (context) => this.#answer(context, () => this.#graphql(context)));
    this.app.post('/files/:entity/:project/:run/file_stream', (context) =>
      this.#answer(context, () => this.#fileStream(context)),
    );
    // The pages that a client prints.
    this.app.get('/:entity/:project/runs/:run', (context) =>
      this.#answer(context, async () => context.redirect(`/runs/${runIdOf(runOf(context))}`)),
    );
    this.app.get('/:entity/:project', (context) =>
      context.redirect(`/?${new URLSearchParams({ project: context.req.param('project') })}`),
    );
    // Such as telemetry, which a client stops sending then.
    this.app.all('*', (context) => context.json({ error: 'Evenkeel has no such route of W&B.' }, 404));
  }

  /** Nothing more is received: its runs count as connected no longer. */
  close(): void {
    this.#runs.close();
  }

  async #graphql(context: Context): Promise<Response> {
    const principal = await this.#authenticate(context);
    return this.#bodies.read(context.req.raw.body, async (text) => {
      const username = usernameOf(context);
      const caller = { principal, username, mayRead: () => this.#mayRead(context, principal) };
      const data = await answerOperation(this.#runs, caller, text === null ? null : toJson(text));
      return context.json({ data });
    });
  }

  /** What cannot be read now cannot be read at another time: it is counted. */
  async #fileStream(context: Context): Promise<Response> {
    const key = runOf(context);
    const principal = await this.#authenticate(context);
    return this.#bodies.read(context.req.raw.body, async (text) => {
      const posted = fileStream.safeParse(text === null ? null : toJson(text));
      if (posted.success) return context.json({ stopped: await this.#runs.post(principal, key, posted.data) });
      const reason = text === null ? TOO_LARGE : UNREADABLE;
      await this.#runs.leaveOut(principal, key, { field: 'file_stream', reason, count: 1 });
      return context.json({});
    });
  }

  #authenticate(context: Context): Promise<Principal> {
    const secret = keyOf(context);
    return this.#options.ingest.authenticateRequest(secret).catch((error) => {
      if (secret !== undefined && error instanceof RefusedError) this.#countWrong(context);
      throw error;
    });
  }

  /** Whether a client may read runs that it knows the names of: who needs no key to write may not by that alone. */
  #mayRead(context: Context, principal: Principal): boolean {
    const { readers } = this.#options;
    const secret = keyOf(context);
    if (principal.kind === 'key' || readers.isOpen || (secret !== undefined && readers.isToken(secret))) return true;
    this.#countWrong(context);
    return false;
  }

  /** @throws TooManyWrongError where the client's address has presented too many wrong secrets. */
  #countWrong({ env }: Context<Env>): void {
    if (!this.#options.readers.countWrong(env.incoming)) throw new TooManyWrongError();
  }

  /** Trouble of the server, which passes, is answered so that the client sends the same again. */
  async #answer(context: Context, act: () => Promise<Response>): Promise<Response> {
    try {
      return await act();
    } catch (error) {
      if (error instanceof TooManyBodiesError)
        return context.json(errors('too many requests at once'), 429, RETRY_AFTER);
      if (error instanceof TooManyWrongError)
        return context.json(errors('too many wrong keys: wait a minute'), 429, { 'Retry-After': '60' });
      if (error instanceof RefusedError && !error.retry) return refuse(context, error);
      if (!(error instanceof RefusedError)) this.#options.log('error', `W&B: ${context.req.path} failed`, error);
      return context.json(errors('the server failed: try again'), 503, RETRY_AFTER);
    }
  }
}

/** GraphQL has its errors in an answer that is one; 404, 409 and 413 would end the upload of a run for good. */
function refuse(context: Context, { field, message }: RefusedError): Response {
  const isGraphql = context.req.path.endsWith('/graphql');
  if (field === 'key') return context.json(errors(message), 401);
  if (field === 'access') return context.json(errors(message), 403);
  return context.json(errors(field === '' ? message : `${field}: ${message}`), isGraphql ? 200 : 403);
}

function errors(message: string) {
  return { errors: [{ message }] };
}

function runOf(context: Context): RunKey {
  const { entity, project, run } = context.req.param();
  return parse(runKey, { entity, project, name: run });
}

/** The user that `WANDB_USERNAME` or `WANDB_USER_EMAIL` names. */
function usernameOf({ req }: Context): string | null {
  const name = req.header('X-WANDB-USERNAME') || req.header('X-WANDB-USER-EMAIL');
  return name ? storableText(name, 200) : null;
}

/** The key of `Authorization: Basic base64("api:<key>")`; undefined without one. */
function keyOf({ req }: Context): string | undefined {
  const [, credentials] = /^Basic\s+(\S+)$/i.exec(req.header('Authorization') ?? '') ?? [];
  if (credentials === undefined) return undefined;
  return Buffer.from(credentials, 'base64')
    .toString('utf8')
    .replace(/^[^:]*:/, '');
}
