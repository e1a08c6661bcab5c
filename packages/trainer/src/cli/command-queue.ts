import type { Command } from '@evenkeel/emit';
import { printable } from '@evenkeel/protocol';
import type { Outcome } from '../train.ts';
import type { CheckpointKeeper } from './checkpoint-keeper.ts';

/** A command that waits for its execution. */
interface Waiting {
  command: Command;
  done: (result: string) => void;
  failed: (error: Error) => void;
}

/** Queues the commands that a run receives, and executes them before its next step. */
export class CommandQueue {
  /** What the schedule's learning rate is multiplied by. */
  lrFactor: number;
  private readonly print: (line: string) => void;
  private waiting: Waiting[] = [];
  /** Answers what was not executed, once the training has ended. */
  private answerEnd: ((waiting: Waiting) => void) | null = null;

  /** @param print prints what was done, and for whom. */
  constructor(lrFactor: number, print: (line: string) => void) {
    this.lrFactor = lrFactor;
    this.print = print;
  }

  /** Queues a command; resolves once it is executed, with the result for the history of the run. */
  readonly receive = (command: Command): Promise<string> =>
    new Promise((done, failed) => {
      const waiting = { command, done, failed };
      if (this.answerEnd) this.answerEnd(waiting);
      else this.waiting.push(waiting);
    });

  /** Executes what was queued, except `stop`, after so many steps. Writes a checkpoint before it answers. */
  async execute(steps: number, keeper: CheckpointKeeper | null): Promise<void> {
    const commands = this.waiting.filter(({ command }) => command.kind !== 'stop');
    if (commands.length === 0) return;
    this.waiting = this.waiting.filter(({ command }) => command.kind === 'stop');
    for (const { command } of commands) if (command.kind === 'reduce-lr') this.reduce(command.factor);
    const kept = await keep(keeper, steps);
    for (const waiting of commands) this.answer(waiting, steps, kept);
  }

  /** Never to zero, which a checkpoint cannot hold. */
  private reduce(factor: number): void {
    this.lrFactor = Math.max(Number.MIN_VALUE, this.lrFactor * factor);
  }

  /**
   * Answers `stop`, now that the training has ended; `kept` is its last checkpoint. A stop may be received after the end
   * that it caused, since commands are sent one after the other.
   */
  end({ status, steps }: Pick<Outcome, 'status' | 'steps'>, kept: string | null): void {
    this.answerEnd = ({ command, done, failed }) => {
      if (command.kind === 'stop' && status === 'stopped')
        done(`stopped after ${steps} steps; ${kept === null ? 'no checkpoint' : `checkpoint ${kept}`}`);
      else failed(new Error(`the training had already ended: ${status}`));
    };
    this.waiting.forEach(this.answerEnd);
    this.waiting = [];
  }

  private answer({ command, done, failed }: Waiting, steps: number, kept: Kept): void {
    const state = 'path' in kept ? `checkpoint ${kept.path} after ${steps} steps` : `no checkpoint: ${kept.problem}`;
    const isCheckpoint = command.kind === 'checkpoint';
    const result = isCheckpoint ? state : `learning rate x${this.lrFactor} from step ${steps} on; ${state}`;
    this.print(printable(`${result} (${command.by ?? 'unknown'}: ${command.reason})`));
    if (isCheckpoint && 'problem' in kept) failed(new Error(result));
    else done(result);
  }
}

type Kept = { path: string } | { problem: string };

async function keep(keeper: CheckpointKeeper | null, steps: number): Promise<Kept> {
  if (!keeper) return { problem: 'this run writes none (--no-checkpoint)' };
  try {
    return { path: await keeper.keep(steps) };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}
