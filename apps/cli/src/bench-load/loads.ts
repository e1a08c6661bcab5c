import { RawEmitter } from './emitter.ts';

/** The outcome of a load: answers by HTTP status, or batches by whether they were acknowledged. */
export type Outcome = Record<string, number>;

interface Load {
  name: string;
  /** Counts the results in `outcome` as they come. */
  run: (url: string, outcome: Outcome) => Promise<void>;
}

const BATCH_STEPS = 4_096;

/** Loads that one reader or one emitter can cause. */
export const LOADS: readonly Load[] = [
  { name: 'idle', run: async () => {} },
  { name: '1 batch of 10 lists of 10,000 runs', run: (...to) => readLists(...to, 1, 10_000) },
  { name: '150 batches of 10 lists of 10,000 runs', run: (...to) => readLists(...to, 150, 10_000) },
  { name: '150 batches of 10 lists of 200 runs', run: (...to) => readLists(...to, 150, 200) },
  { name: '32 batches of 4,096 steps', run: (...to) => flood(...to, 32) },
  { name: '600 batches of 4,096 steps', run: (...to) => flood(...to, 600) },
];

const CALLS = 10;

async function readLists(url: string, outcome: Outcome, requests: number, limit: number): Promise<void> {
  const paths = Array.from({ length: CALLS }, () => 'run.list').join(',');
  const input = Object.fromEntries(Array.from({ length: CALLS }, (_, at) => [at, { json: { limit } }]));
  const address = `${url}/api/trpc/${paths}?batch=1&input=${encodeURIComponent(JSON.stringify(input))}`;
  const read = async () => {
    const status = await fetch(address).then(drained, () => 'failed');
    outcome[status] = (outcome[status] ?? 0) + 1;
  };
  await Promise.all(Array.from({ length: requests }, read));
}

/** Reads an answer without keeping it: a reader that reads slowly would be no load. */
async function drained(response: Response): Promise<string> {
  for await (const _ of response.body ?? []);
  return String(response.status);
}

async function flood(url: string, outcome: Outcome, batches: number): Promise<void> {
  using emitter = new RawEmitter(url);
  await emitter.start('greedy');
  await new Promise<void>((resolve) => {
    let left = batches;
    const count = (ack: unknown) => {
      const isStored = typeof ack === 'object' && ack !== null && 'ok' in ack;
      const what = isStored ? 'acknowledged' : 'refused';
      outcome[what] = (outcome[what] ?? 0) + 1;
      left -= 1;
      if (left === 0) resolve();
    };
    emitter.onCutOff(() => {
      if (left > 0) outcome['cut off'] = 1;
      resolve();
    });
    for (let sent = 0; sent < batches; sent++) emitter.send(BATCH_STEPS, count);
  });
}
