import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type ClientTask, startClients } from '../bench-doors/client-part.ts';
import { type EchoTask, startEcho } from './echo-part.ts';
import { type EmitTask, startEmitting } from './emit-part.ts';
import { startViewing, type ViewTask } from './view-part.ts';

const PROGRAM = fileURLToPath(new URL('../bin/evenkeel.mjs', import.meta.url)); // seen from dist

export type Task = EmitTask | ViewTask | EchoTask | ClientTask;

/** What a part of the load reports once it runs. */
export interface Ready {
  /** The runs that it emits. */
  runs: string[];
  /** Where it listens. */
  url?: string;
}

/** A part of the load at work. */
export interface Measuring<Result> {
  ready: Ready;
  /** Begins a measurement; returns what ends it. */
  begin: () => () => Result;
  end: () => Promise<void>;
}

type Request = { task: Task } | 'begin' | 'result' | 'end';

/** A part of the load in a process of its own, as its parent sees it. */
export class Part<Result> {
  readonly ready: Ready;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, ready: Ready) {
    this.#child = child;
    this.ready = ready;
  }

  /** Resolves once the part runs. */
  static async start<Result>(task: Task): Promise<Part<Result>> {
    const child = fork(PROGRAM, ['bench', 'ingest-part'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const ready = await ask(child, { task });
    return new Part<Result>(child, ready as Ready);
  }

  async begin(): Promise<void> {
    await ask(this.#child, 'begin');
  }

  async result(): Promise<Result> {
    return (await ask(this.#child, 'result')) as Result;
  }

  async end(): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.send('end');
    await ended;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }
}

async function ask(child: ChildProcess, request: Request): Promise<unknown> {
  child.send(request);
  const ending = new AbortController();
  const ended = once(child, 'exit', ending).then(
    () => {
      throw new Error('a process of the load ended too early');
    },
    () => [],
  );
  const [answer] = await Promise.race([once(child, 'message', ending), ended]);
  ending.abort();
  return answer;
}

/** Runs one part of the load, as the parent process asks. */
export function servePart(): void {
  let part: Measuring<unknown> | null = null;
  let result: (() => unknown) | null = null;
  const answer = (value: unknown) => process.send?.(value);
  process.on('disconnect', () => process.exit()); // the parent has ended
  process.on('message', async (request: Request) => {
    if (typeof request === 'object') {
      part = await start(request.task);
      answer(part.ready);
    } else if (request === 'begin') {
      result = part?.begin() ?? null;
      answer(true);
    } else if (request === 'result') {
      answer(result?.() ?? false);
    } else {
      await part?.end();
      process.exit();
    }
  });
}

function start(task: Task): Promise<Measuring<unknown>> {
  switch (task.kind) {
    case 'emit':
      return startEmitting(task);
    case 'view':
      return startViewing(task);
    case 'echo':
      return startEcho();
    case 'clients':
      return startClients(task);
  }
}
