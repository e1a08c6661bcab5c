import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { applySettings, resolveFlags, settingsToYaml, trainCommand, UsageError } from '@evenkeel/trainer';
import { type PlannedRun, RESERVED, type Study } from './study-file.ts';

/** Checkpoints of a run: one that is cut off loses a tenth of its steps at most. */
const CHECKPOINTS = 10;

/** The files of one run of a study. */
export function pathsOf(out: string, run: PlannedRun) {
  const folder = join(out, 'runs', run.folder);
  return {
    folder,
    config: join(folder, 'train.yaml'),
    recording: join(folder, 'run.jsonl'),
    checkpoint: join(folder, 'checkpoint.safetensors'),
    /** What the trainer printed. */
    log: join(folder, 'train.log'),
    /** The id of the process that trains it now. */
    pid: join(folder, 'pid'),
  };
}

/** A run's settings as a file for `evenkeel train --config`. */
export function configOf({ project }: Study, { name, steps, settings }: PlannedRun): string {
  return settingsToYaml({ project, name, checkpointEvery: Math.ceil(steps / CHECKPOINTS), ...settings });
}

/**
 * Checks that the trainer accepts a run's settings.
 * @throws UsageError naming the run and the setting that is wrong.
 */
export async function checkSettings({ name, settings }: PlannedRun): Promise<void> {
  const command = trainCommand();
  applySettings(command, settings, { file: name, except: RESERVED });
  await resolveFlags(command).catch((error) => {
    throw error instanceof UsageError ? new UsageError(`${name}: ${error.message}`) : error;
  });
}

/**
 * Checks that no other process trains a run, and that what exists of it was made with its current settings.
 * @throws UsageError
 */
export async function checkFolder(study: Study, out: string, run: PlannedRun): Promise<void> {
  const paths = pathsOf(out, run);
  const pid = Number(await readIfThere(paths.pid));
  if (pid > 0 && isAlive(pid)) {
    throw new UsageError(`${run.name} is being trained by process ${pid}: wait until it ends, or remove ${paths.pid}`);
  }
  const config = await readIfThere(paths.config);
  if (config === null || config === configOf(study, run)) return;
  throw new UsageError(
    `${paths.config} differs from the study’s settings: name another --out, or remove ${paths.folder}`,
  );
}

async function readIfThere(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw error;
  });
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // another user's
  }
}
