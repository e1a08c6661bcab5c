import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { resolveFlags, trainCommand } from '../command.ts';
import { applySettings, settingsToYaml } from '../settings.ts';
import { UsageError } from '../usage-error.ts';
import { type PlannedRun, RESERVED, type Study } from './study-file.ts';

/** A run is kept so often that one that is cut off loses a tenth at most. */
const CHECKPOINTS = 10;

/** Where a study keeps what belongs to one run. */
export function pathsOf(out: string, run: PlannedRun) {
  const folder = join(out, 'runs', run.folder);
  return {
    folder,
    config: join(folder, 'train.yaml'),
    recording: join(folder, 'run.jsonl'),
    checkpoint: join(folder, 'checkpoint.safetensors'),
    /** What the trainer said. */
    log: join(folder, 'train.log'),
    /** The number of the process that trains it now. */
    pid: join(folder, 'pid'),
  };
}

/** A run's settings as a file for `evenkeel train --config`. */
export function configOf({ project }: Study, { name, steps, settings }: PlannedRun): string {
  return settingsToYaml({ project, name, checkpointEvery: Math.ceil(steps / CHECKPOINTS), ...settings });
}

/**
 * Sees to it that the trainer will take a run's settings.
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
 * Sees to it that nobody else trains a run, and that what there is of it was made with the settings it now has.
 * @throws UsageError
 */
export async function checkFolder(study: Study, out: string, run: PlannedRun): Promise<void> {
  const paths = pathsOf(out, run);
  const pid = Number(await readIfThere(paths.pid));
  if (pid > 0 && isAlive(pid)) {
    throw new UsageError(`${run.name} is being trained by process ${pid}: wait for its end, or remove ${paths.pid}`);
  }
  const config = await readIfThere(paths.config);
  if (config === null || config === configOf(study, run)) return;
  throw new UsageError(
    `${paths.config} has other settings than the study now: name another --out, or remove ${paths.folder}`,
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
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // somebody else's, but there
  }
}
