import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { PACKAGE } from '../../package.ts';
import { Space } from './space.ts';
import { type LaneName, Turns } from './turns.ts';
import { Watchdog } from './watchdog.ts';

/** How long closing waits for what has begun. */
const CLOSE_MS = 5_000;
const WRITES = /\b(insert|update|delete|vacuum|create|alter|drop)\b/i;

export type Request =
  | {
      id: number;
      kind: 'query';
      sql: string;
      params: unknown[];
      rowMode: 'array' | 'object';
      /** What the statement reads from '/dev/blob'. */
      blob?: Uint8Array;
    }
  | { id: number; kind: 'close' };

interface Result {
  rows: unknown[];
  affectedRows?: number;
}

type Reply = { id: number; result: Result } | { id: number; error: { message: string; code?: unknown } };

type Query = (
  sql: string,
  params?: unknown[],
  options?: { rowMode?: 'array' | 'object'; blob?: Uint8Array },
) => Promise<Result>;

/** What drizzle-orm/pglite uses of a PGlite. */
export interface PgliteConnection {
  query: Query;
  transaction<T>(body: (tx: { query: Query }) => Promise<T>): Promise<T>;
}

export interface PgliteClient extends PgliteConnection {
  /** The same connection for what may wait: what the client itself is asked for goes before it. */
  readonly background: PgliteConnection;
  /** For reads, behind all else. */
  readonly readers: PgliteConnection;
  close(): Promise<void>;
  /** Why every query fails from now on, as a sentence; null while queries can succeed. */
  readonly problem: string | null;
  /** Resolves with that sentence where that is so although nobody has closed it. */
  readonly failed: Promise<string>;
  /** From now on a statement that takes a minute, or a write of rows that takes 20 seconds, means that it hangs. */
  opened(): void;
  /** Statements that changed rows so far, and the bytes of their binary parameters: about what was written. */
  readonly writes: number;
  readonly written: number;
}

/**
 * Opens a directory, or a database in memory, in a thread of its own. PGlite makes what is missing, in another thread
 * that then ends: the 400 MB which that takes would stay until the garbage collector finds them.
 */
export async function connectPglite(dataDir: string | null, packed?: string): Promise<PgliteClient> {
  if (dataDir !== null && !existsSync(join(dataDir, 'PG_VERSION'))) await (await connect(dataDir)).close();
  return connect(dataDir, packed);
}

async function connect(dataDir: string | null, packed?: string): Promise<WorkerClient> {
  const client = new WorkerClient(dataDir, packed);
  try {
    await client.query('select 1');
    return client;
  } catch (error) {
    await client.terminate();
    throw error;
  }
}

const STOPPED = 'the embedded database has stopped: restart the server';

type Waiter = { resolve: (result: Result) => void; reject: (error: Error) => void };

class WorkerClient implements PgliteClient {
  writes = 0;
  written = 0;
  private readonly worker: Worker;
  private readonly waiters = new Map<number, Waiter>();
  private readonly turns = new Turns();
  private dead: Error | null = null;
  problem: string | null = null;
  readonly failed: Promise<string>;
  private fail: (problem: string) => void = () => {};
  private nextId = 0;
  private readonly space: Space;
  private readonly watchdog = new Watchdog({
    isDiskFull: () => this.space.isLow(),
    onStuck: (seconds) => void this.giveUp(seconds),
  });

  constructor(dataDir: string | null, packed?: string) {
    this.failed = new Promise((resolve) => {
      this.fail = resolve;
    });
    this.space = new Space(dataDir);
    this.worker = new Worker(join(PACKAGE, 'src/drivers/pglite/worker.mjs'), {
      workerData: { dataDir: dataDir ?? 'memory://', packed },
    });
    this.worker.on('message', (reply: Reply) => this.settle(reply));
    this.worker.on('error', (cause) =>
      this.die(new Error(`the database's thread failed: ${cause.message}`, { cause }), STOPPED),
    );
    this.worker.on('exit', () => this.die(new Error("the database's thread ended"), STOPPED));
  }

  opened(): void {
    this.watchdog.opened();
  }

  private readonly stores = this.writer('store');
  readonly query = this.stores.query;
  readonly transaction = this.stores.transaction;
  readonly background = this.writer('background');

  readonly readers: PgliteConnection = {
    query: (sql, params, options) => this.turns.take('read', () => this.run(sql, params, options)),
    transaction: (body) => this.turns.take('read', () => this.runTransaction(body)),
  };

  private writer(lane: LaneName): PgliteConnection {
    return {
      query: (sql, params, options) => {
        const action = () => this.run(sql, params, options);
        return WRITES.test(sql) ? this.writing(lane, action) : this.turns.take(lane, action);
      },
      transaction: (body) => this.writing(lane, () => this.runTransaction(body)),
    };
  }

  /** What has been asked for comes to its end first, unless that takes long: what is committed is safe without. */
  async close(): Promise<void> {
    const closed = this.turns.last(async () => {
      if (!this.dead) await this.request({ kind: 'close' });
    });
    try {
      await withTimeout(CLOSE_MS, closed);
    } finally {
      this.die(new Error('the database is closed'));
      await this.terminate();
    }
  }

  async terminate(): Promise<void> {
    this.watchdog.stop();
    await this.worker.terminate();
  }

  private async runTransaction<T>(body: (tx: { query: Query }) => Promise<T>): Promise<T> {
    await this.run('begin');
    try {
      const result = await body({ query: this.run });
      await this.run('commit');
      return result;
    } catch (error) {
      await this.run('rollback').catch(() => {}); // where this fails too, the first error says more
      throw error;
    }
  }

  /** In its turn, but where the disk is full it is refused at once: the statement before may never end. */
  private async writing<T>(lane: LaneName, action: () => Promise<T>): Promise<T> {
    const early = this.space.check();
    const done = this.turns.take(lane, async () => {
      await early;
      await this.space.check();
      return action();
    });
    done.catch(() => {}); // where the disk is full, `early` says so
    await early;
    return done;
  }

  private run: Query = (sql, params = [], { rowMode = 'object', blob } = {}) => {
    if (/^\s*(insert|update|delete|copy)/i.test(sql)) this.count(blob ? [blob] : params);
    return this.request({ kind: 'query', sql, params, rowMode, ...(blob && { blob }) });
  };

  private count(params: readonly unknown[]): void {
    this.writes += 1;
    for (const param of params) if (param instanceof Uint8Array) this.written += param.byteLength;
  }

  private request(request: Omit<Request & { kind: 'query' }, 'id'> | { kind: 'close' }): Promise<Result> {
    const id = this.nextId++;
    return new Promise((resolve, reject) => {
      if (this.dead) return reject(this.dead);
      this.waiters.set(id, { resolve, reject });
      this.watchdog.sent(request.kind === 'query' ? request.sql : request.kind);
      this.worker.postMessage({ ...request, id });
    });
  }

  private settle(reply: Reply): void {
    const waiter = this.waiters.get(reply.id);
    this.waiters.delete(reply.id);
    const isIdle = this.waiters.size === 0;
    if ('error' in reply) {
      this.watchdog.answered({ isIdle, code: reply.error.code });
      waiter?.reject(Object.assign(new Error(reply.error.message), reply.error));
    } else {
      this.watchdog.answered({ isIdle });
      waiter?.resolve(reply.result);
    }
  }

  private async giveUp(seconds: number): Promise<void> {
    const problem = (await this.space.isLow())
      ? 'the disk is full, and the embedded database hangs: free some space, then restart the server'
      : `the embedded database has not answered for ${seconds} seconds: restart the server`;
    this.die(Object.assign(new Error(problem), { code: '58000' }), problem);
    await this.terminate();
  }

  /** Nothing is asked of it any more. Without `problem` it was closed. */
  private die(error: Error, problem: string | null = null): void {
    if (this.dead) return;
    this.dead = error;
    this.problem = problem ?? error.message;
    if (problem !== null) this.fail(problem);
    for (const waiter of this.waiters.values()) waiter.reject(this.dead);
    this.waiters.clear();
  }
}

/** Resolves when the time is over at the latest. */
async function withTimeout(ms: number, done: Promise<void>): Promise<void> {
  const over = new AbortController();
  const late = delay(ms, undefined, { signal: over.signal }).catch(() => {});
  await Promise.race([done, late]).finally(() => over.abort());
}
