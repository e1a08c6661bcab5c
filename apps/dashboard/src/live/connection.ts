'use client';

import { type BoardChange, boardChange, decodeSteps, type StepBatch } from '@evenkeel/protocol';
import { io, type Socket } from 'socket.io-client';

/** `idle` until something on the page listens; `lost` from the first failure until the server answers again. */
type ConnectionStatus = 'idle' | 'connecting' | 'connected' | 'lost';

interface RunWatcher {
  steps?: (batch: StepBatch) => void;
  /** The server now sends this run's steps, for the first time or again: what came before must be read again. */
  watching: () => void;
  /** This viewer was too slow and steps were left out. */
  behind?: () => void;
  /** Lines of the run's console output were stored. */
  console?: () => void;
}

interface Events {
  /** Acknowledged once it is processed: who does not keep up is skipped ahead. */
  steps: (frame: ArrayBuffer, taken: () => void) => void;
  board: (changes: unknown) => void;
  alert: (alert: unknown) => void;
  command: (about: unknown) => void;
  run: (about: unknown) => void;
  behind: (about: { run: string }) => void;
  console: (about: { run: string }) => void;
}
interface Requests {
  watch: (request: { run: string }, answer: () => void) => void;
  unwatch: (request: { run: string }) => void;
}

interface Options {
  address?: string;
  /** Pause before another try where socket.io-client makes none, in milliseconds. */
  retryMs?: number;
}

/** The tab's one connection to `/live`; it opens with the first listener and reconnects by itself. */
export class LiveConnection {
  status: ConnectionStatus = 'idle';
  private readonly options: Required<Options>;
  private socket: Socket<Events, Requests> | undefined;
  private retry: ReturnType<typeof setTimeout> | undefined;
  private readonly watchers = new Map<string, Set<RunWatcher>>();
  private readonly listeners = {
    status: new Set<() => void>(),
    board: new Set<(changes: BoardChange[]) => void>(),
    alert: new Set<(alert: unknown) => void>(),
    run: new Set<() => void>(),
    connected: new Set<() => void>(),
    refused: new Set<() => void>(),
  };

  constructor({ address = '/live', retryMs = 3_000 }: Options = {}) {
    this.options = { address, retryMs };
  }

  onStatus = (listener: () => void) => subscribe(this.listeners.status, listener);

  onBoard(listener: (changes: BoardChange[]) => void) {
    this.open();
    return subscribe(this.listeners.board, listener);
  }

  onAlert(listener: (alert: unknown) => void) {
    this.open();
    return subscribe(this.listeners.alert, listener);
  }

  /** Each time that a person has edited some run or sent it a command, or something came of that. */
  onRun(listener: () => void) {
    this.open();
    return subscribe(this.listeners.run, listener);
  }

  /** Each time the server is reached: what it sent before may have been missed. */
  onConnected(listener: () => void) {
    this.open();
    return subscribe(this.listeners.connected, listener);
  }

  /** Each time the server is there and does not let this tab in, such as when its cookie has run out. */
  onRefused(listener: () => void) {
    this.open();
    return subscribe(this.listeners.refused, listener);
  }

  close(): void {
    clearTimeout(this.retry);
    this.socket?.disconnect();
  }

  watch(run: string, watcher: RunWatcher): () => void {
    const socket = this.open();
    const watchers = this.watchers.get(run) ?? new Set();
    this.watchers.set(run, watchers.add(watcher));
    if (socket.connected) this.requestSteps(run, [watcher]);
    return () => {
      watchers.delete(watcher);
      if (watchers.size > 0) return;
      this.watchers.delete(run);
      if (socket.connected) socket.emit('unwatch', { run });
    };
  }

  private requestSteps(run: string, watchers: Iterable<RunWatcher>): void {
    this.socket?.emit('watch', { run }, () => {
      for (const watcher of watchers) watcher.watching();
    });
  }

  private open(): Socket<Events, Requests> {
    this.socket ??= this.connect();
    return this.socket;
  }

  private connect(): Socket<Events, Requests> {
    const { address, retryMs } = this.options;
    const socket: Socket<Events, Requests> = io(address, {
      transports: ['websocket'],
      reconnectionDelayMax: retryMs,
    });
    this.setStatus('connecting');
    socket.on('connect', () => {
      this.setStatus('connected');
      for (const [run, watchers] of this.watchers) this.requestSteps(run, watchers);
      for (const listener of this.listeners.connected) listener();
    });
    socket.on('connect_error', () => {
      this.lose(socket);
      if (!socket.active) for (const listener of this.listeners.refused) listener();
    });
    socket.on('disconnect', (reason) => {
      if (reason !== 'io client disconnect') this.lose(socket);
    });
    socket.on('steps', (frame, taken) => {
      try {
        this.receiveSteps(frame);
      } catch (error) {
        console.error('a frame of steps could not be processed; the history is read instead', error);
        for (const watchers of this.watchers.values()) for (const watcher of watchers) watcher.behind?.();
      } finally {
        taken(); // or the server would send nothing more
      }
    });
    socket.on('behind', ({ run }) => {
      for (const watcher of this.watchers.get(run) ?? []) watcher.behind?.();
    });
    socket.on('console', ({ run }) => {
      for (const watcher of this.watchers.get(run) ?? []) watcher.console?.();
    });
    socket.on('board', (message) => {
      const changes = boardChange.array().safeParse(message);
      if (changes.success) for (const listener of this.listeners.board) listener(changes.data);
    });
    socket.on('alert', (alert) => {
      for (const listener of this.listeners.alert) listener(alert);
    });
    for (const event of ['run', 'command'] as const) {
      socket.on(event, () => {
        for (const listener of this.listeners.run) listener();
      });
    }
    return socket;
  }

  /** socket.io-client tries again by itself only while it is `active`: not where the server said no or sent it away. */
  private lose(socket: Socket): void {
    this.setStatus('lost');
    if (socket.active) return;
    clearTimeout(this.retry);
    this.retry = setTimeout(() => socket.connect(), this.options.retryMs);
  }

  private receiveSteps(frame: ArrayBuffer): void {
    const batch = decodeSteps(new Uint8Array(frame));
    for (const watcher of this.watchers.get(batch.run) ?? []) watcher.steps?.(batch);
  }

  private setStatus(status: ConnectionStatus): void {
    this.status = status;
    for (const listener of this.listeners.status) listener();
  }
}

export const live = new LiveConnection();

function subscribe<Listener>(listeners: Set<Listener>, listener: Listener): () => void {
  listeners.add(listener);
  return () => void listeners.delete(listener);
}
