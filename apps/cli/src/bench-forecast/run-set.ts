import { readFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { printable, type StepEvent } from '@evenkeel/protocol';
import { byRun, type RecordedAttempt, readRecordings } from '@evenkeel/recordings';
import { type Label, type LabeledRun, labelOf, SIGNAL_NAMES, type Signals, Timeline } from '@evenkeel/stability';
import { z } from 'zod';
import { Failure } from '../failure.ts';

const givenLabel = z.object({
  /** `doubtful` and `early` runs are excluded. */
  verdict: z.enum(['diverged', 'healthy', 'hurt', 'stuck', 'doubtful', 'early']),
  onset: z.number().int().min(0).nullable(),
  kind: z.string(),
});
const labels = z.record(z.string(), givenLabel);
type GivenLabel = z.infer<typeof givenLabel>;

/** A run that diverges before this step was never healthy: no alarm could have come first. */
const MIN_ONSET = 20;

/** What a detector may read of a step. */
export type BenchStep = Signals & Pick<StepEvent, 'updateRms'>;

/** A recorded run that is scored. */
export interface BenchRun extends LabeledRun {
  id: string;
  steps: readonly BenchStep[];
  /** How it was made; detectors do not see it. */
  kind: string;
  verdict: Label['verdict'];
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
      const found = known ? known[id] : ownLabelOf(steps, attempts);
      if (found?.verdict === 'early' || found?.verdict === 'doubtful') set[found.verdict] += 1;
      else if (found) set.runs.push({ ...found, id, steps, verdict: verdictOf(steps, attempts, found) });
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
async function readLabels(file: string): Promise<Record<string, GivenLabel> | null> {
  try {
    return labels.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new Failure(`${file}: ${error instanceof Error ? error.message : error}`);
  }
}

async function readSteps(attempts: readonly RecordedAttempt[]): Promise<BenchStep[]> {
  const timeline = new Timeline<BenchStep>();
  for (const { start, readSteps } of attempts) {
    for await (const step of readSteps()) timeline.add(start.attempt, signalsOf(step));
  }
  return timeline.steps();
}

/** Without what no detector reads: a set of long runs would not fit into memory. */
function signalsOf(step: BenchStep): BenchStep {
  const known = READ.filter((name) => step[name] != null).map((name) => [name, step[name]]);
  return { step: step.step, ...Object.fromEntries(known) };
}

const READ = [...SIGNAL_NAMES, 'updateRms'] as const;

function ownLabelOf(steps: readonly Signals[], attempts: readonly RecordedAttempt[]): GivenLabel {
  const { verdict, onset } = labelOf(steps, entropyOf(attempts));
  const kind = attempts[0]?.start.tags.join(', ') || 'untagged';
  if (onset !== null) return { verdict: onset < MIN_ONSET ? 'early' : verdict, onset, kind };
  return { verdict: isStillRising(steps) ? 'doubtful' : verdict, onset, kind };
}

/** A file of labels may know no more than whether a run diverged. */
function verdictOf(steps: readonly Signals[], attempts: readonly RecordedAttempt[], { onset }: GivenLabel) {
  if (onset !== null) return 'diverged';
  const { verdict } = labelOf(steps, entropyOf(attempts));
  return verdict === 'diverged' ? 'hurt' : verdict; // the file knows better that it came back
}

/** The unigram entropy of a run's data in nats, where its config has it; null where it has not. */
function entropyOf(attempts: readonly RecordedAttempt[]): number | null {
  const entropy = attempts[0]?.start.config.unigramEntropy;
  return typeof entropy === 'number' ? entropy : null;
}

/** Whether the learning rate was still rising at the end: the run might have diverged later. */
function isStillRising(steps: readonly Signals[]): boolean {
  const last = steps.at(-1)?.lr ?? 0;
  return steps.slice(0, -1).every(({ lr }) => (lr ?? Number.POSITIVE_INFINITY) < last);
}
