import { constants } from 'node:fs';
import { access, mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type CheckpointAbout, writeCheckpoint } from './checkpoint.ts';
import type { NamedVariable } from './layer.ts';
import type { Outcome } from './train.ts';
import { UsageError } from './usage-error.ts';

interface KeeperOptions {
  path: string;
  /** Steps from one checkpoint to the next; 0 writes none but the last. */
  every: number;
  about: Omit<CheckpointAbout, 'steps' | 'lrFactor'>;
  /** What the schedule's learning rate is multiplied by at present. */
  lrFactor: () => number;
  variables: readonly NamedVariable[];
}

/** Keeps the newest state of a run in a file. */
export class CheckpointKeeper {
  private readonly options: KeeperOptions;
  /** Steps of the state that is kept; null where none is. */
  private kept: number | null = null;

  private constructor(options: KeeperOptions) {
    this.options = options;
  }

  /** @throws UsageError where the file could not be written: before the first step is better than after the last. */
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
   * Writes the state that an attempt goes on from: the file is of this attempt from now on, so that whoever is killed
   * before the next checkpoint does not go on as this attempt once more.
   */
  takeOver(steps: number): Promise<void> {
    return this.write(steps);
  }

  /** The state of so many steps is known to be sound. */
  async update(steps: number): Promise<void> {
    const { every } = this.options;
    if (every === 0 || steps === 0 || steps % every !== 0 || steps === this.kept) return;
    await this.write(steps).catch((error: Error) => console.warn(`${error.message}; the training goes on`));
  }

  /**
   * Writes the state now; resolves to the file.
   * @throws UsageError where it cannot be written, or is spoilt: the file then keeps the state before.
   */
  async keep(steps: number): Promise<string> {
    if (!(await areFinite(this.options.variables))) throw new UsageError('the state is not finite');
    await this.write(steps);
    return this.options.path;
  }

  /** Writes the last state, unless it is spoilt; resolves to the file, null where nothing sound is in it. */
  async end({ status, steps }: Outcome): Promise<string | null> {
    const isNew = status !== 'failed' && steps > 0 && steps !== this.kept;
    if (isNew && (await areFinite(this.options.variables))) await this.write(steps);
    return this.kept === null ? null : this.options.path;
  }

  private async write(steps: number): Promise<void> {
    const { path, about, lrFactor, variables } = this.options;
    await writeCheckpoint(path, { ...about, steps, lrFactor: lrFactor() }, variables).catch((error: Error) => {
      throw new UsageError(`--checkpoint: ${path} is not written: ${error.message}`);
    });
    this.kept = steps;
  }
}

/** What the last update did shows only in the next loss, which a run that stops does not compute. */
async function areFinite(variables: readonly NamedVariable[]): Promise<boolean> {
  for (const { variable } of variables) if (!(await variable.data<'float32'>()).every(Number.isFinite)) return false;
  return true;
}
