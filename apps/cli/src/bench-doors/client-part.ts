import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Measuring } from '../bench-ingest/part.ts';
import { type BatchSize, type Client, type ClientKind, newClient, type Sent } from './clients.ts';

/** Clients over plain HTTP, each of which sends its next batch when the one before is answered. */
export interface ClientTask extends BatchSize {
  kind: 'clients';
  client: ClientKind;
  /** What their tracker would be given as its URL. */
  url: string;
  clients: number;
}

/** What clients saw during a measurement. */
export interface Logged {
  /** Milliseconds until each batch was answered with 200. */
  times: number[];
  failed: number;
  /** The first other answer. */
  failure: string | null;
  /** CPU time of the clients, in milliseconds. */
  cpuMs: number;
}

/** How long a client waits after a failure. */
const PAUSE_MS = 200;
/** Workers of a server that has just started may end again, and break connections off. */
const START_TRIES = 100;

export async function startClients(task: ClientTask): Promise<Measuring<Logged>> {
  const agent = new Agent({ keepAlive: true, maxSockets: task.clients });
  const send = (sent: Sent) =>
    post(agent, task.url, sent).catch((error: Error) => ({ status: 0, text: error.message }));
  let logged = nothing();
  let hasEnded = false;
  const log = async (client: Client) => {
    while (!hasEnded) {
      const sent = client.next();
      const began = performance.now();
      const answer = await send(sent);
      if (answer.status === 200) logged.times.push(performance.now() - began);
      else {
        logged.failed += 1;
        logged.failure ??= shown(answer);
        await sleep(PAUSE_MS);
      }
    }
  };
  const logging = Array.from({ length: task.clients }, async () => {
    const client = newClient(task.client, task);
    let answer = await send(client.start);
    for (let tries = 1; answer.status !== 200 && tries < START_TRIES; tries++) {
      await sleep(PAUSE_MS);
      answer = await send(client.start);
    }
    if (answer.status !== 200) throw new Error(`a run did not start: ${shown(answer)}`);
    client.started(answer.text);
    return client;
  });
  const loops = (await Promise.all(logging)).map(log);
  return {
    ready: { runs: [] },
    begin: () => {
      logged = nothing();
      const before = process.cpuUsage();
      return () => {
        const { user, system } = process.cpuUsage(before);
        return { ...logged, cpuMs: (user + system) / 1_000 };
      };
    },
    end: async () => {
      hasEnded = true;
      await Promise.all(loops);
      agent.destroy();
    },
  };
}

interface Answer {
  /** Of HTTP; 0 where there was no answer. */
  status: number;
  text: string;
}

function shown({ status, text }: Answer): string {
  return `${status} ${text.slice(0, 200)}`;
}

function nothing(): Logged {
  return { times: [], failed: 0, failure: null, cpuMs: 0 };
}

function post(agent: Agent, base: string, { path, body }: Sent): Promise<Answer> {
  const bytes = Buffer.from(JSON.stringify(body));
  const headers = { 'Content-Type': 'application/json', 'Content-Length': bytes.length };
  return new Promise((resolve, reject) => {
    const sending = request(base + path, { method: 'POST', agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
      response.on('error', reject);
    });
    sending.on('error', reject).end(bytes);
  });
}
