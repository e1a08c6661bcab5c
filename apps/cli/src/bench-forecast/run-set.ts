import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { printable } from '@evenkeel/protocol';
import { byRun, type RecordedAttempt, readRecordings } from '@evenkeel/recordings';
import { divergedAt, type LabeledRun, type Signals, Timeline } from '@evenkeel/stability';
import { z } from 'zod';
import { Failure } from '../failure.ts';

const label = z.object({
  /** `doubtful` and `early` runs are excluded. */
  verdict: z.enum(['diverged', 'healthy', 'doubtful', 'early']),
  onset: z.number().int().min(0).nullable(),
  kind: z.string(),
});
const labels = z.record(z.string(), label);
type Label = z.infer<typeof label>;

/** A run that diverges before this step was never healthy: no alarm could have come first. */
const MIN_ONSET = 20;

/** A recorded run that is scored. */
export interface BenchRun extends LabeledRun {
  id: string;
  /** How it was made; detectors do not see it. */
  kind: string;
}

/** The recordings of a folder. */
export interface RunSet {
  name: string;
  /** The runs that are scored, in the order of their files. */
  runs: BenchRun[];
  /** How many are excluded. */
  early: number;
  doubtful: number;
  /** Whether the verdicts are from a `labels.json`; the shipped constants may have been fitted to those runs. */
  isLabeled: boolean;
}

/**
 * Reads the recordings of a folder and of those in it. Their verdicts and kinds come from its `labels.json`, or
 * without one from their losses and tags.
 * @throws Failure naming what is wrong, also where no run diverged or none stayed healthy.
 */
export async function readRunSet(folder: string): Promise<RunSet> {
  const known = await readLabels(join(folder, 'labels.json'));
  const set: RunSet = { name: basename(resolve(folder)), runs: [], early: 0, doubtful: 0, isLabeled: known !== null };
  for await (const recording of readRecordings([join(folder, '**/*.jsonl{,.gz}')], warn)) {
    for (const attempts of byRun(recording.runs)) {
      const [id, steps] = [attempts[0]?.start.id ?? '', await readSteps(attempts)];
      const found = known ? known[id] : labelOf(steps, attempts);
      if (found?.verdict === 'early' || found?.verdict === 'doubtful') set[found.verdict] += 1;
      else if (found) set.runs.push({ id, steps, kind: found.kind, onset: found.onset });
    }
  }
  if (!set.runs.some(({ onset }) => onset === null) || !set.runs.some(({ onset }) => onset !== null))
    throw new Failure(`${folder}: holds no run that diverged, or none that stayed healthy`);
  return set;
}

function warn(message: string): void {
  console.error(printable(message));
}

/** Null where there are none. */
async function readLabels(file: string): Promise<Record<string, Label> | null> {
  try {
    return labels.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new Failure(`${file}: ${error instanceof Error ? error.message : error}`);
  }
}

async function readSteps(attempts: readonly RecordedAttempt[]): Promise<Signals[]> {
  const timeline = new Timeline<Signals>();
  for (const { start, readSteps } of attempts) {
    for await (const { step, loss, tevMean, tevStd, gradVar, gradNorm, lr } of readSteps())
      timeline.add(start.attempt, { step, loss, tevMean, tevStd, gradVar, gradNorm, lr });
  }
  return timeline.steps();
}

function labelOf(steps: readonly Signals[], attempts: readonly RecordedAttempt[]): Label {
  const onset = divergedAt(steps);
  const kind = attempts[0]?.start.tags.join(', ') || 'untagged';
  if (onset !== null) return { verdict: onset < MIN_ONSET ? 'early' : 'diverged', onset, kind };
  return { verdict: isStillRising(steps) ? 'doubtful' : 'healthy', onset, kind };
}

/** Whether the learning rate was still rising at the end: the run might have diverged later. */
function isStillRising(steps: readonly Signals[]): boolean {
  const last = steps.at(-1)?.lr ?? 0;
  return steps.slice(0, -1).every(({ lr }) => (lr ?? Number.POSITIVE_INFINITY) < last);
}
