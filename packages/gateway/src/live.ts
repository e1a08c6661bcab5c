import type { IncomingMessage } from 'node:http';
import { type Database, listRuns, type RunSummary } from '@evenkeel/db';
import type { Log } from '@evenkeel/ingest';
import {
  type BoardChange,
  type EventPort,
  encodeSteps,
  jsonNumber,
  MAX_BATCH_STEPS,
  mergeStep,
  type Principal,
  parse,
  RefusedError,
  type ServerEvent,
  type StepBatch,
  type StepEvent,
  watchRequest,
} from '@evenkeel/protocol';
import type { Namespace, Socket } from 'socket.io';

/** How long steps gather before they go out in one frame per run, in milliseconds. */
const STEPS_TICK = 50;
const BOARD_TICK = 500;
const CONSOLE_TICK = 500;
/** Frames a viewer may leave unacknowledged before it is skipped ahead. */
const UNACKNOWLEDGED_FRAMES = 16;
/** The max number of runs that one viewer watches at once. */
const WATCHED_RUNS = 100;

/** The message that an event of a run becomes, beside steps and console output: its row on the board has changed, or viewers read something of it again. */
const MESSAGES = {
  'run started': 'board',
  'run ended': 'board',
  'forecast stored': 'board',
  'run described': 'run',
  'step removed': 'run',
  'run archived': 'run',
  'run deleted': 'run',
  'command acknowledged': 'command',
  'command settled': 'command',
} as const satisfies Record<Exclude<Extract<ServerEvent, { run: string }>['kind'], 'console stored'>, string>;

interface Viewer {
  unacknowledged: number;
  /** Runs of which this viewer missed frames. */
  behind: Set<string>;
}

interface LiveOptions {
  namespace: Namespace;
  db: Database;
  log: Log;
  events: EventPort;
  /** Who opens a connection; null where that request may not watch. */
  viewerOf: (request: IncomingMessage) => Principal | null;
}

/**
 * Fans committed steps out to viewers, coalesced: one frame per run and tick, never one per step.
 * What a viewer does not acknowledge is not buffered for it; it is skipped ahead and asked to read the backlog.
 */
export class Live {
  readonly #options: LiveOptions;
  readonly #unsubscribe: () => void;
  readonly #viewers = new Map<string, Viewer>();
  readonly #steps = new Map<string, StepBatch[]>();
  readonly #changed = new Set<string>();
  #stepsTimer: NodeJS.Timeout | null = null;
  #boardTimer: NodeJS.Timeout | null = null;
  /** Runs of which lines were stored since the last tick. */
  readonly #consoles = new Set<string>();
  #consoleTimer: NodeJS.Timeout | null = null;
  #board: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: LiveOptions) {
    this.#options = options;
    options.namespace.use((socket, next) => {
      socket.data.principal = options.viewerOf(socket.request);
      next(socket.data.principal ? undefined : new Error('sign in first'));
    });
    options.namespace.on('connection', (socket) => this.#welcome(socket));
    this.#unsubscribe = options.events.subscribe((event) => this.#receiveEvent(event));
  }

  async close(): Promise<void> {
    this.#unsubscribe();
    clearTimeout(this.#stepsTimer ?? undefined);
    clearTimeout(this.#boardTimer ?? undefined);
    clearTimeout(this.#consoleTimer ?? undefined);
    this.#closed = true;
    await this.#board;
  }

  #receiveEvent(event: ServerEvent): void {
    const { namespace } = this.#options;
    if ('alert' in event) {
      this.#runChanged(event.alert.run);
      namespace.emit('alert', event.alert);
    } else if (event.kind === 'steps stored') this.#stepsStored(event.batch);
    else if (event.kind === 'command given') namespace.emit('command', { run: event.command.run });
    else if (event.kind === 'console stored') this.#consoleStored(event.run);
    else if ('run' in event) {
      const message = MESSAGES[event.kind];
      if (message === 'board') this.#runChanged(event.run);
      else namespace.emit(message, { run: event.run });
    }
  }

  #stepsStored(batch: StepBatch): void {
    this.#runChanged(batch.run);
    if (!this.#options.namespace.adapter.rooms.has(batch.run)) return;
    const batches = this.#steps.get(batch.run) ?? [];
    batches.push(batch);
    this.#steps.set(batch.run, batches);
    this.#stepsTimer ??= setTimeout(() => this.#sendSteps(), STEPS_TICK);
  }

  /** Viewers read the lines themselves, at their own pace. */
  #consoleStored(run: string): void {
    if (!this.#options.namespace.adapter.rooms.has(run)) return;
    this.#consoles.add(run);
    this.#consoleTimer ??= setTimeout(() => {
      this.#consoleTimer = null;
      for (const stored of this.#consoles) this.#options.namespace.to(stored).emit('console', { run: stored });
      this.#consoles.clear();
    }, CONSOLE_TICK);
  }

  #runChanged(run: string): void {
    if (this.#viewers.size === 0) return;
    this.#changed.add(run);
    this.#scheduleBoard();
  }

  #welcome(socket: Socket): void {
    this.#viewers.set(socket.id, { unacknowledged: 0, behind: new Set() });
    socket.on('disconnect', () => this.#viewers.delete(socket.id));
    socket.onAny((event: unknown, request: unknown, ack: unknown) =>
      answer(ack, () => this.#receive(socket, String(event), request)),
    );
  }

  #receive(socket: Socket, event: string, request: unknown): void {
    if (event === 'watch') this.#watch(socket, request);
    else if (event === 'unwatch') void socket.leave(parse(watchRequest, request).run);
    else throw new RefusedError('event', `there is no event "${event.slice(0, 50)}"`);
  }

  #watch(socket: Socket, request: unknown): void {
    const { run } = parse(watchRequest, request);
    if (socket.rooms.size > WATCHED_RUNS)
      throw new RefusedError('run', `more than ${WATCHED_RUNS} runs watched at once`);
    void socket.join(run);
  }

  #sendSteps(): void {
    this.#stepsTimer = null;
    for (const [run, batches] of this.#steps) {
      const viewers = this.#options.namespace.adapter.rooms.get(run) ?? new Set();
      for (const frame of mergeBatches(run, batches)) {
        const bytes = Buffer.from(encodeSteps(frame).buffer);
        for (const id of viewers) this.#sendFrame(id, run, bytes);
      }
    }
    this.#steps.clear();
  }

  #sendFrame(id: string, run: string, frame: Buffer): void {
    const viewer = this.#viewers.get(id);
    const socket = this.#options.namespace.sockets.get(id);
    if (!viewer || !socket) return;
    if (viewer.unacknowledged >= UNACKNOWLEDGED_FRAMES) {
      viewer.behind.add(run);
      return;
    }
    viewer.unacknowledged++;
    socket.emit('steps', frame, () => {
      viewer.unacknowledged--;
      for (const missed of viewer.behind) socket.emit('behind', { run: missed });
      viewer.behind.clear();
    });
  }

  #scheduleBoard(): void {
    if (this.#closed) return;
    this.#boardTimer ??= setTimeout(() => {
      this.#board = this.#sendBoard();
    }, BOARD_TICK);
  }

  async #sendBoard(): Promise<void> {
    const ids = [...this.#changed];
    this.#changed.clear();
    try {
      const runs = await listRuns(this.#options.db, { ids, limit: ids.length });
      this.#options.namespace.emit('board', runs.map(boardChange));
    } catch (error) {
      for (const id of ids) this.#changed.add(id);
      this.#options.log('error', 'reading the board failed; it is tried again', error);
    }
    this.#boardTimer = null;
    if (this.#changed.size > 0) this.#scheduleBoard();
  }
}

/** Joins a tick's batches of one run: one frame per attempt, within a batch's limit; reports of one step are merged. */
function mergeBatches(run: string, batches: readonly StepBatch[]): StepBatch[] {
  const attempts = new Map<number, Map<number, StepEvent>>();
  for (const { attempt, steps } of batches) {
    const bySteps = attempts.get(attempt) ?? new Map<number, StepEvent>();
    for (const step of steps) {
      const known = bySteps.get(step.step);
      bySteps.set(step.step, known ? mergeStep(known, step) : step);
    }
    attempts.set(attempt, bySteps);
  }
  return [...attempts].flatMap(([attempt, bySteps]) =>
    slices([...bySteps.values()], MAX_BATCH_STEPS / 8).map((steps) => ({ run, attempt, steps })),
  );
}

function slices<Item>(items: readonly Item[], size: number): Item[][] {
  const count = Math.ceil(items.length / size);
  return Array.from({ length: count }, (_, at) => items.slice(at * size, (at + 1) * size));
}

function boardChange({ id, status, lastStep, loss, tevMean, risk, openAlerts, ...run }: RunSummary): BoardChange {
  const { divergenceStep, divergenceInterval } = run;
  const numbers = { loss: jsonNumber(loss), tevMean: jsonNumber(tevMean) };
  return { run: id, status, lastStep, ...numbers, risk, divergenceStep, divergenceInterval, openAlerts };
}

function answer(ack: unknown, act: () => void): void {
  const reply = typeof ack === 'function' ? ack : () => {};
  try {
    act();
    reply({ ok: true });
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    reply(error.toRefusal());
  }
}
