import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type CheckpointAbout, writeCheckpoint } from './checkpoint.ts';
import type { NamedVariable } from './layer.ts';
import type { Outcome } from './train.ts';

interface KeeperOptions {
  path: string;
  /** Steps from one checkpoint to the next; 0 writes none but the last. */
  every: number;
  about: Omit<CheckpointAbout, 'steps'>;
  variables: readonly NamedVariable[];
}

/** Keeps the newest state of a run in a file. */
export class CheckpointKeeper {
  private readonly options: KeeperOptions;
  private steps = 0;
  private kept = 0;

  constructor(options: KeeperOptions) {
    this.options = options;
  }

  /**
   * Takes over a checkpoint of so many steps: from now on it is of this attempt, so that whoever is killed before the
   * next one does not go on as this attempt once more.
   */
  async takeOver(steps: number): Promise<void> {
    this.steps = steps;
    await this.write();
  }

  /** So many steps are made by now. */
  async update(steps: number): Promise<void> {
    this.steps = steps;
    const { every } = this.options;
    if (every > 0 && steps % every === 0) await this.write();
  }

  /** Writes what is not kept yet, unless the state is spoilt; resolves to the file, null where none was written. */
  async end({ status }: Outcome): Promise<string | null> {
    if (status !== 'failed' && this.steps > this.kept) await this.write();
    return this.kept > 0 ? this.options.path : null;
  }

  private async write(): Promise<void> {
    const { path, about, variables } = this.options;
    await mkdir(dirname(path), { recursive: true });
    await writeCheckpoint(path, { ...about, steps: this.steps }, variables);
    this.kept = this.steps;
  }
}
