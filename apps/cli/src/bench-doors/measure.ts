import { mkdir } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BenchDatabase } from '../bench/database.ts';
import { type Percentiles, percentilesOf } from '../bench/percentiles.ts';
import { BenchServer } from '../bench/server.ts';
import { THIS_BUILD } from '../bench/tree.ts';
import { Part } from '../bench-ingest/part.ts';
import type { Logged } from './client-part.ts';
import type { BatchSize, ClientKind } from './clients.ts';
import { MlflowServer } from './mlflow-server.ts';

/** The load that each server gets. */
export interface Load extends BatchSize {
  clients: number;
  durationMs: number;
  warmupMs: number;
}

/** A server that is measured, and what speaks to it. */
export interface Target {
  server: 'evenkeel' | 'mlflow server';
  client: ClientKind;
  database: 'PGlite' | 'SQLite' | 'PostgreSQL';
}

/** Where the servers find what they need. */
export interface Places {
  folder: string;
  /** A PostgreSQL server on which a database may be created. */
  databaseUrl: string | null;
  /** Python with the package mlflow. */
  python: string | null;
  /** A folder for CPU profiles of our server. */
  profile: string | null;
}

/** What a server did under the load. */
export interface Measured extends Target {
  /** Of batches that were answered with 200. */
  valuesPerSecond: number;
  requestsPerSecond: number;
  answers: Percentiles;
  /** Batches that were answered otherwise, and the first such answer. */
  failed: number;
  failure: string | null;
  /** Microseconds of CPU time; of the server together with its database. */
  cpuPerValue: { clients: number; server: number };
  /** Of the machine, over the last 1, 5 and 15 minutes, as the measurement ended. */
  loadAverage: number[];
}

/** Every server that can be started here, MLflow's first. */
export function targetsOf({ databaseUrl, python }: Pick<Places, 'databaseUrl' | 'python'>): Target[] {
  const real = (database: Target['database']) => ({ server: 'mlflow server', client: 'mlflow', database }) as const;
  const ours = (database: Target['database']) =>
    (['mlflow', 'wandb'] as const).map((client) => ({ server: 'evenkeel', client, database }) as const);
  const hasPostgres = databaseUrl !== null;
  return [
    ...(python === null ? [] : [real('SQLite'), ...(hasPostgres ? [real('PostgreSQL')] : [])]),
    ...ours('PGlite'),
    ...(hasPostgres ? ours('PostgreSQL') : []),
  ];
}

/** Starts the server with a database of its own, and measures it once it is warm. */
export async function measureTarget(target: Target, load: Load, places: Places): Promise<Measured> {
  const databaseUrl = target.database === 'PostgreSQL' ? places.databaseUrl : null;
  await using database = databaseUrl === null ? null : await BenchDatabase.create(databaseUrl);
  await using server = await startServer(target, database, places);
  const cpuMs = () => server.cpuMs() + (database?.cpuMs ?? 0);
  const { clients, metrics, steps } = load;
  const task = { kind: 'clients', client: target.client, url: server.url, clients, metrics, steps } as const;
  const part = await Part.start<Logged>(task);
  try {
    await sleep(load.warmupMs);
    await part.begin();
    const before = { at: performance.now(), cpuMs: cpuMs() };
    await sleep(load.durationMs);
    const logged = await part.result();
    const ran = { elapsedMs: performance.now() - before.at, serverMs: cpuMs() - before.cpuMs };
    await part.end();
    return { ...target, ...summarize(logged, ran, metrics * steps) };
  } catch (error) {
    part.kill();
    throw error;
  }
}

function summarize(logged: Logged, ran: { elapsedMs: number; serverMs: number }, valuesOfBatch: number) {
  const requestsPerSecond = (1_000 * logged.times.length) / ran.elapsedMs;
  const perValue = (milliseconds: number) => (1_000 * milliseconds) / (logged.times.length * valuesOfBatch);
  return {
    valuesPerSecond: requestsPerSecond * valuesOfBatch,
    requestsPerSecond,
    answers: percentilesOf(logged.times),
    failed: logged.failed,
    failure: logged.failure,
    cpuPerValue: { clients: perValue(logged.cpuMs), server: perValue(ran.serverMs) },
    loadAverage: loadavg(),
  };
}

interface Started extends AsyncDisposable {
  /** What a client is given. */
  url: string;
  /** Without its database where that is PostgreSQL, in milliseconds. */
  cpuMs(): number;
}

async function startServer(
  { server, client, database: kind }: Target,
  database: BenchDatabase | null,
  { folder: parent, python, profile }: Places,
): Promise<Started> {
  const folder = join(parent, `${server}-${client}-${kind}`.replaceAll(' ', '-'));
  await mkdir(folder);
  if (server === 'mlflow server') {
    if (python === null) throw new Error('no Python is known that has mlflow');
    const store = database?.url.replace(/^postgres:/, 'postgresql:') ?? `sqlite:///${join(folder, 'mlflow.db')}`;
    return MlflowServer.start(python, store, folder);
  }
  const ours = await BenchServer.start({
    tree: THIS_BUILD.tree,
    dataDir: folder,
    databaseUrl: database?.url ?? null,
    profile,
  });
  return {
    url: `${ours.url}/${client}`,
    cpuMs: () => ours.cpu(false).serverMs,
    [Symbol.asyncDispose]: () => ours.stop(), // not killed: a profile is written at the end
  };
}
