import { existsSync } from 'node:fs';
import type { RecordedStep } from '@evenkeel/protocol';
import { readRecording } from '@evenkeel/recordings';
import { Timeline } from '@evenkeel/stability';

/** A run of a study, with all its attempts as one. */
export interface TrainedRun {
  /** Names of the layers, in the order of `layerGradVar` and `layerOutVar`. */
  layers: readonly string[];
  /** In order; each of the attempt that owns it. */
  steps: RecordedStep[];
  /** How the last attempt ended; null where it is under way or was cut off. */
  finish: { status: string; reason: string | null } | null;
  /** Duration of all attempts together, in milliseconds, as far as the lines have a time. */
  duration: number;
}

/**
 * Reads the recording of one run; null where there is none yet.
 * @throws RecordingError naming the file, the line and the field that is wrong.
 */
export async function readTrainedRun(path: string): Promise<TrainedRun | null> {
  if (!existsSync(path)) return null;
  const { runs } = await readRecording(path, () => {}); // a trainer may be writing it, or was killed
  const timeline = new Timeline<RecordedStep>();
  for (const { start, readSteps } of runs) {
    for await (const step of readSteps()) timeline.add(start.attempt, step);
  }
  const last = runs.at(-1);
  return {
    layers: last?.layers ?? [],
    steps: timeline.steps(),
    finish: last?.finish ?? null,
    duration: runs.reduce((sum, { duration }) => sum + duration, 0),
  };
}
