import { mkdir } from 'node:fs/promises';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { BenchDatabase, type Stored, storedIn } from '../bench/database.ts';
import { type Percentiles, percentilesOf } from '../bench/percentiles.ts';
import { BenchServer } from '../bench/server.ts';
import type { Build } from '../bench/tree.ts';
import { Failure } from '../failure.ts';
import { copyIntoPglite, copyIntoPostgres } from './copy.ts';
import type { Emitted } from './emit-part.ts';
import type { Load } from './load.ts';
import { Part } from './part.ts';
import type { Seen } from './view-part.ts';

export interface Scene extends Load {
  viewers: number;
  /** Runs that each viewer watches. */
  watched: number;
  durationMs: number;
  /** Before anything is measured: both sides have compiled what they run by then. */
  warmupMs: number;
  /** Processes that the emitters are spread over. */
  processes: number;
  /** A PostgreSQL server on which a database may be created; null for the embedded database. */
  databaseUrl: string | null;
  /** Steps that are copied to find the limit. */
  copied: number;
  profile: string | null;
}

/** The results of a scene on one build. Times are in milliseconds. */
export interface Measured {
  build: string;
  stepsPerSecond: number;
  valuesPerSecond: number;
  /** Steps a second of a bare binary COPY of the same rows, measured right after on the same machine. */
  copyStepsPerSecond: number;
  /** Of the first to the second. */
  ratioToCopy: number;
  acks: Percentiles;
  viewers: Percentiles;
  frames: number;
  /** Steps that viewers were not sent, since they were behind. */
  missedSteps: number;
  /** Steps in the clients that were not acknowledged, when the measurement began and when it ended. */
  pending: { before: number; after: number };
  /** Until the server had done what was left, from when the clients stopped. */
  settledMs: number;
  /** CPU time of each side for one step, in microseconds; null where it cannot be seen. */
  cpuPerStep: { client: number; server: number; database: number | null };
  /** Bytes, resident: when the measurement began, when it ended, and the peak since the start. */
  memory: { before: number; after: number; peak: number };
  /** Rows of steps and scalars, with their keys; and all that is made of them besides. */
  disk: { bytesPerStep: number; bytesPerValue: number; totalBytesPerStep: number };
  warnings: string[];
  /** Of the machine, over the last 1, 5 and 15 minutes, as the measurement ended. */
  loadAverage: number[];
}

export async function measureBuild({ name, tree }: Build, folder: string, scene: Scene): Promise<Measured> {
  const dataDir = join(folder, name.replaceAll(/\W/g, '-'));
  await mkdir(dataDir);
  await using database = scene.databaseUrl === null ? null : await BenchDatabase.create(scene.databaseUrl);
  const databaseUrl = database?.url ?? null;
  const server = await BenchServer.start({ tree, dataDir, databaseUrl, profile: scene.profile });
  const ran = await runScene({ server, database, tree, scene }).finally(() => server.stop());
  const stored = await (database?.stored() ?? storedIn(dataDir));
  const copyStepsPerSecond = await (database
    ? copyIntoPostgres(database.url, scene, scene.copied)
    : copyIntoPglite(dataDir, scene, scene.copied));
  return summarize(name, scene, ran, stored, copyStepsPerSecond);
}

interface Place {
  server: BenchServer;
  database: BenchDatabase | null;
  tree: string;
  scene: Scene;
}

interface Usage {
  serverMs: number;
  databaseMs: number;
}

interface Ran {
  elapsedMs: number;
  emitted: Emitted[];
  seen: Seen | null;
  usage: Usage;
  memory: Measured['memory'];
  settledMs: number;
  loadAverage: number[];
}

async function runScene({ server, database, tree, scene }: Place): Promise<Ran> {
  const parts: Part<unknown>[] = [];
  const started = <Result>(part: Part<Result>) => {
    parts.push(part);
    return part;
  };
  try {
    const emitters: Part<Emitted>[] = [];
    for (const count of split(scene.emitters, scene.processes)) {
      const { rate, batch, scalars } = scene;
      const task = { kind: 'emit', url: server.url, tree, emitters: count, rate, batch, scalars } as const;
      emitters.push(started(await Part.start<Emitted>(task)));
    }
    const runs = emitters.flatMap(({ ready }) => ready.runs);
    await sleep(scene.warmupMs / 2); // a run can be watched once its start is stored
    const watched = Array.from({ length: scene.viewers }, (_, viewer) => {
      return Array.from({ length: scene.watched }, (_, at) => runs[(viewer * scene.watched + at) % runs.length] ?? '');
    });
    const viewers =
      scene.viewers === 0 ? null : started(await Part.start<Seen>({ kind: 'view', url: server.url, watched }));
    await sleep(scene.warmupMs / 2);
    const ran = await measureWhile({ server, database, emitters, viewers, durationMs: scene.durationMs });
    await Promise.all(emitters.map((part) => part.end()));
    const settledMs = await settled(() => usageOf(server, database));
    await viewers?.end();
    return { ...ran, settledMs };
  } catch (error) {
    for (const part of parts) part.kill();
    throw error;
  }
}

interface Measuring extends Pick<Place, 'server' | 'database'> {
  emitters: readonly Part<Emitted>[];
  viewers: Part<Seen> | null;
  durationMs: number;
}

async function measureWhile(measuring: Measuring): Promise<Omit<Ran, 'settledMs'>> {
  const { server, database, emitters, viewers, durationMs } = measuring;
  await Promise.all([...emitters, ...(viewers ? [viewers] : [])].map((part) => part.begin()));
  const before = { at: performance.now(), usage: usageOf(server, database), memory: server.residentBytes };
  await sleep(durationMs);
  const emitted = await Promise.all(emitters.map((part) => part.result()));
  const elapsedMs = performance.now() - before.at;
  const usage = usageOf(server, database);
  return {
    elapsedMs,
    emitted,
    seen: (await viewers?.result()) ?? null,
    usage: {
      serverMs: usage.serverMs - before.usage.serverMs,
      databaseMs: usage.databaseMs - before.usage.databaseMs,
    },
    memory: { before: before.memory, after: server.residentBytes, peak: server.peakBytes },
    loadAverage: loadavg(),
  };
}

function usageOf(server: BenchServer, database: BenchDatabase | null): Usage {
  const { serverMs, databaseMs } = server.cpu(database === null);
  return { serverMs, databaseMs: database?.cpuMs ?? databaseMs };
}

const LOOK_MS = 250;
/** Of one CPU: what a server without work takes is far less. */
const IDLE_SHARE = 0.2;
const MAX_LOOKS = 240;

/** Milliseconds until the server and its database have nothing left to do: what they queued shows here. */
async function settled(usage: () => Usage): Promise<number> {
  const total = () => {
    const { serverMs, databaseMs } = usage();
    return serverMs + (Number.isNaN(databaseMs) ? 0 : databaseMs);
  };
  for (let look = 0, last = total(); look < MAX_LOOKS; look++) {
    await sleep(LOOK_MS);
    const now = total();
    if (now - last < IDLE_SHARE * LOOK_MS) return look * LOOK_MS;
    last = now;
  }
  return MAX_LOOKS * LOOK_MS;
}

function summarize(build: string, scene: Scene, ran: Ran, stored: Stored, copyStepsPerSecond: number): Measured {
  const sum = (read: (emitted: Emitted) => number) => ran.emitted.reduce((total, each) => total + read(each), 0);
  const steps = sum(({ acknowledged }) => acknowledged);
  const warnings = [...new Set(ran.emitted.flatMap(({ warnings }) => warnings))];
  if (steps === 0)
    throw new Failure(`no step was acknowledged: ${warnings.join('; ') || 'the clients gave no reason'}`);
  const stepsPerSecond = (1_000 * steps) / ran.elapsedMs;
  const perStep = (milliseconds: number) => (1_000 * milliseconds) / steps;
  const databasePerStep = perStep(ran.usage.databaseMs);
  const bytesPerStep = stored.rawBytes / stored.steps;
  return {
    build,
    stepsPerSecond,
    valuesPerSecond: stepsPerSecond * scene.scalars,
    copyStepsPerSecond,
    ratioToCopy: stepsPerSecond / copyStepsPerSecond,
    acks: percentilesOf(ran.emitted.flatMap(({ acks }) => acks)),
    viewers: percentilesOf(ran.seen?.delays ?? []),
    frames: ran.seen?.frames ?? 0,
    missedSteps: ran.seen?.missed ?? 0,
    pending: { before: sum(({ pendingBefore }) => pendingBefore), after: sum(({ pendingAfter }) => pendingAfter) },
    settledMs: ran.settledMs,
    cpuPerStep: {
      client: perStep(sum(({ cpuMs }) => cpuMs)),
      server: perStep(ran.usage.serverMs),
      database: Number.isNaN(databasePerStep) ? null : databasePerStep,
    },
    memory: ran.memory,
    disk: {
      bytesPerStep,
      bytesPerValue: bytesPerStep / scene.scalars,
      totalBytesPerStep: stored.totalBytes / stored.steps,
    },
    warnings,
    loadAverage: ran.loadAverage,
  };
}

/** So many emitters over at most so many processes. */
function split(emitters: number, processes: number): number[] {
  const count = Math.min(emitters, processes);
  return Array.from({ length: count }, (_, at) => Math.floor((emitters + at) / count));
}
