import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type CheckpointAbout, writeCheckpoint } from '../checkpoint.ts';
import type { NamedVariable } from '../layer.ts';
import type { Outcome } from '../train.ts';
import { UsageError } from '../usage-error.ts';

interface KeeperOptions {
  path: string;
  /** Steps from one checkpoint to the next; 0 writes only the last. */
  every: number;
  about: Omit<CheckpointAbout, 'steps' | 'lrFactor'>;
  /** The current factor of the schedule's learning rate. */
  lrFactor: () => number;
  variables: readonly NamedVariable[];
}

/** Keeps the newest state of a run in a file. */
export class CheckpointKeeper {
  private readonly options: KeeperOptions;
  /** Steps of the state in the file; null where there is none. */
  private kept: number | null = null;

  private constructor(options: KeeperOptions) {
    this.options = options;
  }

  /** @throws UsageError where the file cannot be written: better before the first step than after the last. */
  static async open(options: KeeperOptions): Promise<CheckpointKeeper> {
    const folder = dirname(options.path);
    try {
      await mkdir(folder, { recursive: true });
      await access(folder, constants.W_OK);
    } catch (error) {
      throw new UsageError(`--checkpoint: ${(error as Error).message}`);
    }
    return new CheckpointKeeper(options);
  }

  /**
   * Writes the state that an attempt resumes from, under the number of this attempt: a process that is killed before the
   * next checkpoint then resumes as the next attempt, not as this one again.
   */
  claim(steps: number): Promise<void> {
    return this.write(steps);
  }

  /** Writes the state if a checkpoint is due. It must be known to be finite. */
  async update(steps: number): Promise<void> {
    const { every } = this.options;
    if (every === 0 || steps === 0 || steps % every !== 0 || steps === this.kept) return;
    await this.write(steps).catch((error: Error) => console.warn(`${error.message}; the training continues`));
  }

  /**
   * Writes the state now; resolves to the file.
   * @throws UsageError where it cannot be written, or is not finite: the file then keeps the previous state.
   */
  async keep(steps: number): Promise<string> {
    if (!(await areFinite(this.options.variables))) throw new UsageError('the state is not finite');
    await this.write(steps);
    return this.options.path;
  }

  /** Writes the last state if it is finite; resolves to the file, null where no state is in it. */
  async end({ status, steps }: Outcome): Promise<string | null> {
    const isNew = status !== 'failed' && steps > 0 && steps !== this.kept;
    if (isNew && (await areFinite(this.options.variables))) await this.write(steps);
    return this.kept === null ? null : this.options.path;
  }

  private async write(steps: number): Promise<void> {
    const { path, about, lrFactor, variables } = this.options;
    await writeCheckpoint(path, { ...about, steps, lrFactor: lrFactor() }, variables).catch((error: Error) => {
      throw new UsageError(`--checkpoint: ${path} cannot be written: ${error.message}`);
    });
    this.kept = steps;
  }
}

/** The effect of the last update shows only in the next loss, which a run that stops does not compute. */
async function areFinite(variables: readonly NamedVariable[]): Promise<boolean> {
  for (const { variable } of variables) if (!(await variable.data<'float32'>()).every(Number.isFinite)) return false;
  return true;
}
