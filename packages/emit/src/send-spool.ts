import { closeSync, openSync } from 'node:fs';
import {
  DropCount,
  decodeSteps,
  droppedValue,
  type IngestHandshake,
  parse,
  type RunEnd,
  runEnd,
  type StartRequest,
  startRequest,
} from '@evenkeel/protocol';
import { Connection, type ConnectionOptions } from './connection.ts';
import { Outbox } from './outbox.ts';
import type { DroppedValue } from './public.ts';
import { SpoolFile, type StoredSpool } from './spool-file.ts';
import { SpoolReader, type SpoolRecord } from './spool-record.ts';
import { until } from './until.ts';
import type { Warn } from './warn.ts';

/** How much of a file is in memory at a time. */
const MAX_READ_AHEAD = 8 * 1024 * 1024;
/** Milliseconds between two checks of the progress. */
const PROGRESS = 1_000;

export interface SendOptions extends Pick<ConnectionOptions, 'server' | 'timing'> {
  handshake: IngestHandshake;
  signal: AbortSignal;
  /** Milliseconds without a single acknowledged step before sending gives up; null to wait however long the server is away. */
  stallTimeout: number | null;
  /** Called with how many steps the server has acknowledged, as it does. */
  onSteps: (count: number) => void;
}

export interface SentSpool {
  /** The attempt that the server stores it as; null where it has not answered. */
  attempt: number | null;
  /** Steps that the server acknowledged. */
  steps: number;
  /** Steps that damage to the file has cost, as far as is known. */
  lost: number;
  /** Steps that the server refused for good. */
  refused: number;
  /** Values that the server left out. */
  dropped: DroppedValue[];
  /** Why the file is kept, and where it is; null where the server has all of it and the file is gone. */
  kept: { path: string; reason: string } | null;
}

/** No command can be carried out: the process that logged these steps has ended. */
const NO_COMMANDS: ConnectionOptions['commands'] = {
  take: (_, answer) =>
    answer({ error: 'this client only delivers what a trainer has left', field: 'run', retry: true }),
  nextReport: () => null,
  reported: () => {},
};
const SILENT: Warn = Object.assign(() => {}, { forget: () => {} });

/** The server and the start request of a file; null where they cannot be read. */
export function readSpoolStart(path: string): { server: string; start: StartRequest } | null {
  try {
    const fd = openSync(path, 'r');
    try {
      return parseStart(new SpoolReader(fd).next());
    } finally {
      closeSync(fd);
    }
  } catch {
    return null; // it is gone, or cannot be read
  }
}

function parseStart(record: SpoolRecord | null): { server: string; start: StartRequest } | null {
  if (record?.type !== 'start') return null;
  const { server, start } = JSON.parse(record.payload.toString());
  return { server: String(server), start: parse(startRequest, start) };
}

/**
 * Sends a file that nobody holds and deletes it once the server has acknowledged all of it. Never rejects.
 * @returns null where another process has taken the file meanwhile.
 */
export async function sendSpool(folder: string, stored: StoredSpool, options: SendOptions): Promise<SentSpool | null> {
  const sent: SentSpool = { attempt: null, steps: 0, lost: 0, refused: 0, dropped: [], kept: null };
  let file: SpoolFile | null = null;
  try {
    file = SpoolFile.claim(folder, stored);
    if (!file) return null;
    await sendFile(file, options, sent);
    file.discard();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    sent.kept = { path: release(file) ?? stored.path, reason };
  }
  return sent;
}

function release(file: SpoolFile | null): string | null {
  try {
    return file?.release() ?? null;
  } catch {
    return null; // nobody holds it once this process has ended
  }
}

/** @throws where the server has not taken all of the file. */
async function sendFile(file: SpoolFile, options: SendOptions, sent: SentSpool): Promise<void> {
  const reader = file.read();
  const first = parseStart(reader.next());
  if (!first) throw new Error('its first record, which says of what run it is, is damaged');
  const drops = new DropCount();
  const ownDrops = new DropCount();
  const outbox = new Outbox();
  const trouble = new AbortController();
  const signal = AbortSignal.any([trouble.signal, options.signal]);
  const connection = new Connection({
    server: options.server,
    handshake: options.handshake,
    timing: options.timing,
    start: first.start,
    outbox,
    commands: NO_COMMANDS,
    ownDrops,
    drops,
    warn: SILENT,
    onOpened: ({ attempt }) => {
      sent.attempt = attempt;
    },
    onRefused: (reason) => trouble.abort(new Error(`the server refuses this run: ${reason}`)),
    onAway: (reason, isReachable) => (isReachable || options.stallTimeout !== null) && trouble.abort(new Error(reason)),
  });
  connection.open();
  try {
    const { end, dropped } = await sendSteps({ file, reader, outbox, connection, options, signal, sent });
    ownDrops.addAll(dropped);
    await sendEnd(connection, end, options.stallTimeout, signal);
  } finally {
    connection.close();
    sent.lost = reader.lost;
    sent.refused = outbox.lost;
    sent.dropped = drops.values();
  }
}

interface Sending {
  file: SpoolFile;
  reader: SpoolReader;
  outbox: Outbox;
  connection: Connection;
  options: SendOptions;
  signal: AbortSignal;
  sent: SentSpool;
}

/** The records beside steps: the end of the run, if there is one, and the values that were dropped. */
interface Rest {
  end: RunEnd | null;
  dropped: DroppedValue[];
}

/** Sends all steps, and returns the rest. */
async function sendSteps(sending: Sending): Promise<Rest> {
  const { reader, outbox, connection } = sending;
  const rest: Rest = { end: null, dropped: [] };
  let bytes = 0;
  for (let record = reader.next(); record; record = reader.next()) {
    if (record.type === 'finish') rest.end = parse(runEnd, JSON.parse(record.payload.toString()));
    if (record.type === 'dropped') rest.dropped = parse(droppedValue.array(), JSON.parse(record.payload.toString()));
    if (record.type !== 'steps') continue;
    for (const step of decodeSteps(record.payload).steps) outbox.add(step);
    connection.wake();
    bytes += record.payload.byteLength;
    if (bytes < MAX_READ_AHEAD) continue;
    await drain(sending);
    bytes = 0;
  }
  await drain(sending);
  return rest;
}

/** Until everything that was read is acknowledged. */
async function drain({ file, outbox, options, signal, sent }: Sending): Promise<void> {
  const { stallTimeout, onSteps } = options;
  const drained = outbox.drained(0);
  let progressAt = Date.now();
  while (outbox.pending > 0) {
    const before = { pending: outbox.pending, lost: outbox.lost };
    await until(drained, withTimeout(signal, PROGRESS));
    signal.throwIfAborted();
    const gone = before.pending - outbox.pending;
    const acknowledged = gone - (outbox.lost - before.lost);
    sent.steps += acknowledged;
    if (acknowledged > 0) onSteps(acknowledged);
    if (gone > 0) progressAt = Date.now();
    else if (stallTimeout !== null && Date.now() - progressAt >= stallTimeout) throw stalled(stallTimeout);
    file.keepHeld(Date.now());
  }
}

async function sendEnd(
  connection: Connection,
  end: RunEnd | null,
  stallTimeout: number | null,
  signal: AbortSignal,
): Promise<void> {
  let isTaken = false;
  const taken = connection.finish(end).then((accepted) => {
    isTaken = accepted;
  });
  await until(taken, stallTimeout === null ? signal : withTimeout(signal, stallTimeout));
  signal.throwIfAborted();
  if (!isTaken) throw new Error('the server has not taken the end of the run');
}

function withTimeout(signal: AbortSignal, milliseconds: number): AbortSignal {
  return AbortSignal.any([signal, AbortSignal.timeout(milliseconds)]);
}

function stalled(stallTimeout: number): Error {
  return new Error(`the server has acknowledged no step for ${stallTimeout / 1_000} s`);
}
