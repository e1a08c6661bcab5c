import { readFile } from 'node:fs/promises';
import { type RecordedLine, type RecordedStep, RefusedError, readRecordedLine } from '@evenkeel/protocol';
import { Timeline } from '@evenkeel/stability';
import { UsageError } from '../usage-error.ts';

/** What a file tells of a run. */
export interface Recording {
  /** Names of the layers, in the order of `layerGradVar` and `layerOutVar`. */
  layers: string[];
  /** In order; each of the attempt that owns it. */
  steps: RecordedStep[];
  /** How the last attempt ended; null where it is under way or was cut off. */
  finish: { status: string; reason: string | null } | null;
  /** What all attempts took together, in milliseconds, as far as the lines tell their time. */
  took: number;
}

/**
 * Null where there is no such file.
 * @throws UsageError naming the file, the line and the field that is wrong.
 */
export async function readRecording(path: string): Promise<Recording | null> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null;
    throw new UsageError(`${path}: ${error.message}`); // such as that it is longer than any text can be
  });
  if (text === null) return null;
  const recording: Recording = { layers: [], steps: [], finish: null, took: 0 };
  const timeline = new Timeline<RecordedStep>();
  let attempt = 1;
  let clock: number | null = null;
  const lines = text.split('\n').slice(0, -1); // what a killed process left behind the last line end is no line
  lines.forEach((line, at) => {
    try {
      const event = readRecordedLine(line);
      if (event.type === 'run') attempt = event.attempt;
      if (event.type === 'step') timeline.add(attempt, event);
      else take(recording, event);
      const time = timeOf(event);
      // what is between two attempts counts for nothing
      if (clock !== null && time !== null && event.type !== 'run') recording.took += time - clock;
      clock = event.type === 'run' ? time : (time ?? clock);
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      throw new UsageError(`${path}, line ${at + 1}: ${error.field ? `${error.field}: ` : ''}${error.message}`);
    }
  });
  return { ...recording, steps: timeline.steps() };
}

function take(recording: Recording, line: Exclude<RecordedLine, RecordedStep>): void {
  if (line.type === 'run') {
    recording.layers = line.layers;
    recording.finish = null;
  } else {
    recording.finish = { status: line.status, reason: line.reason };
  }
}

function timeOf(line: RecordedLine): number | null {
  if (line.type === 'step') return line.time ?? null;
  return (line.type === 'run' ? line.startedAt : line.endedAt) ?? null;
}
