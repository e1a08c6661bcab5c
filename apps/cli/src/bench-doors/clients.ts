import { randomUUID } from 'node:crypto';

/** Kinds of clients, each of which has its own door. */
export type ClientKind = 'mlflow' | 'wandb';

/** What one client logs with a request. */
export interface BatchSize {
  /** Names of metrics. */
  metrics: number;
  /** Steps, each with a value of every metric. */
  steps: number;
}

/** A request with a body of JSON. */
export interface Sent {
  path: string;
  body: unknown;
}

/** What a client says, without the sending. It logs one batch after the other to one run. */
export interface Client {
  /** Starts the run. */
  start: Sent;
  /** Reads the answer to that. */
  started(answer: string): void;
  next(): Sent;
}

/** Clients of MLflow and W&B log the same values of the same steps. */
export function newClient(kind: ClientKind, size: BatchSize): Client {
  return kind === 'mlflow' ? mlflowClient(size) : wandbClient(size);
}

/** As mlflow 3.17.2 sends `client.log_batch`. */
function mlflowClient(size: BatchSize): Client {
  const names = namesOf(size);
  let run = '';
  let step = 0;
  return {
    start: {
      path: '/api/2.0/mlflow/runs/create',
      body: { experiment_id: '0', user_id: 'bench', start_time: Date.now(), tags: [] },
    },
    started(answer) {
      run = (JSON.parse(answer) as { run: { info: { run_id: string } } }).run.info.run_id;
    },
    next() {
      const timestamp = Date.now();
      const metrics = Array.from({ length: size.steps }, () => {
        step += 1;
        return names.map((key, at) => ({ key, value: valueAt(step, at), timestamp, step }));
      }).flat();
      return { path: '/api/2.0/mlflow/runs/log-batch', body: { run_id: run, metrics } };
    },
  };
}

/** As wandb 0.31.0 posts rows of its history. */
function wandbClient(size: BatchSize): Client {
  const names = namesOf(size);
  const name = randomUUID().slice(0, 8);
  let step = 0;
  return {
    start: {
      path: '/graphql',
      body: { query: 'mutation UpsertBucket { upsertBucket }', variables: { name, project: 'bench', entity: null } },
    },
    started() {},
    next() {
      const offset = step;
      const content = Array.from({ length: size.steps }, () => {
        const values = Object.fromEntries(names.map((key, at) => [key, valueAt(step, at)]));
        return JSON.stringify({ ...values, _step: step++, _timestamp: Date.now() / 1_000, _runtime: 1 });
      });
      const files = { 'wandb-history.jsonl': { offset, content } };
      return { path: `/files/evenkeel/bench/${name}/file_stream`, body: { files } };
    },
  };
}

/** Some that become fields of steps, and custom scalars. */
function namesOf({ metrics }: BatchSize): string[] {
  const others = Array.from({ length: metrics }, (_, at) => `layers/${at}/norm`);
  return ['train/loss', 'train/grad_norm', 'train/learning_rate', ...others].slice(0, metrics);
}

/** Never the same again, as a metric's are; no rule raises an alert about them. */
function valueAt(step: number, metric: number): number {
  return 2 + metric + Math.sin(step * (metric + 1)) / 100;
}
