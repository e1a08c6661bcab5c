import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LabelledRun } from '@evenkeel/stability';
import { z } from 'zod';
import { Failure } from '../failure.ts';
import { readRecordings } from '../recordings.ts';

const label = z.object({
  /** `doubtful` and `early` runs count as neither. */
  verdict: z.enum(['diverged', 'healthy', 'doubtful', 'early']),
  onset: z.number().int().min(0).nullable(),
  kind: z.string(),
});
const labels = z.record(z.string(), label);

/** A recorded run that counts. */
export interface BenchRun extends LabelledRun {
  id: string;
  /** How it was made; of no detector's business. */
  kind: string;
}

/** The runs of a folder of recordings with a `labels.json`, those that count, in the order of their names. */
export async function readLabelledRuns(folder: string): Promise<BenchRun[]> {
  const known = await readLabels(join(folder, 'labels.json'));
  const runs: BenchRun[] = [];
  for await (const { runs: attempts } of readRecordings([join(folder, '*.jsonl*')], console.error)) {
    for (const attempt of attempts) {
      const { id } = attempt.start;
      const { verdict, onset, kind } = known[id] ?? {};
      if ((verdict !== 'diverged' && verdict !== 'healthy') || kind === undefined) continue;
      const steps = [];
      for await (const { step, loss, tevMean, tevStd, gradVar, gradNorm, lr } of attempt.readSteps())
        steps.push({ step, loss, tevMean, tevStd, gradVar, gradNorm, lr });
      runs.push({ id, kind, steps, onset: verdict === 'diverged' ? (onset ?? null) : null });
    }
  }
  return runs;
}

async function readLabels(file: string): Promise<z.infer<typeof labels>> {
  try {
    return labels.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    throw new Failure(`${file}: ${error instanceof Error ? error.message : error}`);
  }
}
