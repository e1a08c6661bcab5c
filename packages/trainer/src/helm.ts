import type { Command } from '@evenkeel/emit';
import { printable } from '@evenkeel/protocol';
import type { CheckpointKeeper } from './checkpoint-keeper.ts';
import type { Outcome } from './train.ts';

interface Order {
  command: Command;
  done: (words: string) => void;
  failed: (error: Error) => void;
}

/** Steers a training by the commands that reach it: each is obeyed before the next step. */
export class Helm {
  /** What the schedule's learning rate is multiplied by. */
  lrFactor: number;
  private readonly note: (line: string) => void;
  private waiting: Order[] = [];
  /** Answers what has not been obeyed, once the training has ended. */
  private answerEnd: ((order: Order) => void) | null = null;

  /** @param note tells whoever watches the trainer what was done, and for whom. */
  constructor(lrFactor: number, note: (line: string) => void) {
    this.lrFactor = lrFactor;
    this.note = note;
  }

  /** Takes a command; resolves once it is carried out, with words for the history of the run. */
  readonly receive = (command: Command): Promise<string> =>
    new Promise((done, failed) => {
      const order = { command, done, failed };
      if (this.answerEnd) this.answerEnd(order);
      else this.waiting.push(order);
    });

  /** So many steps are made: obeys what has come meanwhile, but for `stop`, with a checkpoint first. */
  async obey(steps: number, keeper: CheckpointKeeper | null): Promise<void> {
    const orders = this.waiting.filter(({ command }) => command.kind !== 'stop');
    if (orders.length === 0) return;
    this.waiting = this.waiting.filter(({ command }) => command.kind === 'stop');
    for (const { command } of orders) if (command.kind === 'reduce-lr') this.reduce(command.factor);
    const kept = await keep(keeper, steps);
    for (const order of orders) this.answer(order, steps, kept);
  }

  /** Never to zero, which a checkpoint does not take. */
  private reduce(factor: number): void {
    this.lrFactor = Math.max(Number.MIN_VALUE, this.lrFactor * factor);
  }

  /**
   * The training has ended; `kept` is its last checkpoint. A stop may come after the end that it caused, since commands
   * come one after the other.
   */
  end({ status, steps }: Pick<Outcome, 'status' | 'steps'>, kept: string | null): void {
    this.answerEnd = ({ command, done, failed }) => {
      if (command.kind === 'stop' && status === 'stopped')
        done(`stopped after ${steps} steps; ${kept === null ? 'no checkpoint was kept' : `checkpoint ${kept}`}`);
      else failed(new Error(`the training has ended by itself: ${status}`));
    };
    this.waiting.forEach(this.answerEnd);
    this.waiting = [];
  }

  private answer({ command, done, failed }: Order, steps: number, kept: Kept): void {
    const state = 'path' in kept ? `checkpoint ${kept.path} after ${steps} steps` : `no checkpoint: ${kept.problem}`;
    const isCheckpoint = command.kind === 'checkpoint';
    const words = isCheckpoint ? state : `learning rate x${this.lrFactor} from step ${steps} on; ${state}`;
    this.note(printable(`${words} (${command.by ?? 'somebody'}: ${command.reason})`));
    if (isCheckpoint && 'problem' in kept) failed(new Error(words));
    else done(words);
  }
}

type Kept = { path: string } | { problem: string };

async function keep(keeper: CheckpointKeeper | null, steps: number): Promise<Kept> {
  if (!keeper) return { problem: 'this run keeps none (--no-checkpoint)' };
  try {
    return { path: await keeper.keep(steps) };
  } catch (error) {
    return { problem: (error as Error).message };
  }
}
