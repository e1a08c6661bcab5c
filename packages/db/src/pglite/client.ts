import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { PACKAGE } from '../package.ts';
import { Turns } from './turns.ts';

export type Request =
  | { id: number; kind: 'query'; sql: string; params: unknown[]; rowMode: 'array' | 'object' }
  | { id: number; kind: 'close' };

interface Result {
  rows: unknown[];
  affectedRows?: number;
}

type Reply = { id: number; result: Result } | { id: number; error: { message: string } };

type Query = (sql: string, params?: unknown[], options?: { rowMode?: 'array' | 'object' }) => Promise<Result>;

/** What drizzle-orm/pglite uses of a PGlite. */
export interface PgliteConnection {
  query: Query;
  transaction<T>(body: (tx: { query: Query }) => Promise<T>): Promise<T>;
}

export interface PgliteClient extends PgliteConnection {
  /** The same connection for reads that may wait: what the client itself is asked for goes before them. */
  readonly readers: PgliteConnection;
  close(): Promise<void>;
  /** Whether its thread has failed or ended, or it is closed: every query fails from then on. */
  readonly isDead: boolean;
  /** Statements that changed rows so far, and the bytes of their binary parameters: about what was written. */
  readonly writes: number;
  readonly written: number;
}

/** Opens a directory, or a database in memory, in a thread of its own. PGlite makes what is missing. */
export async function connectPglite(dataDir: string | null): Promise<PgliteClient> {
  const client = new WorkerClient(dataDir);
  try {
    await client.query('select 1');
    return client;
  } catch (error) {
    await client.terminate();
    throw error;
  }
}

type Waiter = { resolve: (result: Result) => void; reject: (error: Error) => void };

class WorkerClient implements PgliteClient {
  writes = 0;
  written = 0;
  private readonly worker: Worker;
  private readonly waiters = new Map<number, Waiter>();
  private readonly turns = new Turns();
  private dead: Error | null = null;
  private nextId = 0;

  constructor(dataDir: string | null) {
    this.worker = new Worker(join(PACKAGE, 'src/pglite/worker.mjs'), {
      workerData: { dataDir: dataDir ?? 'memory://' },
    });
    this.worker.on('message', (reply: Reply) => this.settle(reply));
    this.worker.on('error', (cause) =>
      this.die(new Error(`the database's thread failed: ${cause.message}`, { cause })),
    );
    this.worker.on('exit', () => this.die(new Error("the database's thread ended")));
  }

  get isDead(): boolean {
    return this.dead !== null;
  }

  query: Query = (sql, params, options) => this.turns.first(() => this.run(sql, params, options));

  transaction<T>(body: (tx: { query: Query }) => Promise<T>): Promise<T> {
    return this.turns.first(() => this.runTransaction(body));
  }

  readonly readers: PgliteConnection = {
    query: (sql, params, options) => this.turns.later(() => this.run(sql, params, options)),
    transaction: (body) => this.turns.later(() => this.runTransaction(body)),
  };

  /** What has been asked for comes to its end first. */
  async close(): Promise<void> {
    await this.turns
      .last(async () => {
        if (!this.dead) await this.request({ kind: 'close' });
        this.dead ??= new Error('the database is closed');
      })
      .finally(() => this.terminate());
  }

  async terminate(): Promise<void> {
    await this.worker.terminate();
  }

  private async runTransaction<T>(body: (tx: { query: Query }) => Promise<T>): Promise<T> {
    await this.run('begin');
    try {
      const result = await body({ query: this.run });
      await this.run('commit');
      return result;
    } catch (error) {
      await this.run('rollback').catch(() => {}); // where this fails too, the first error tells more
      throw error;
    }
  }

  private run: Query = (sql, params = [], { rowMode = 'object' } = {}) => {
    if (/^\s*(insert|update|delete)/i.test(sql)) this.count(params);
    return this.request({ kind: 'query', sql, params, rowMode });
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
      this.worker.postMessage({ ...request, id });
    });
  }

  private settle(reply: Reply): void {
    const waiter = this.waiters.get(reply.id);
    this.waiters.delete(reply.id);
    if ('error' in reply) waiter?.reject(Object.assign(new Error(reply.error.message), reply.error));
    else waiter?.resolve(reply.result);
  }

  private die(error: Error): void {
    this.dead ??= error;
    for (const waiter of this.waiters.values()) waiter.reject(this.dead);
    this.waiters.clear();
  }
}
