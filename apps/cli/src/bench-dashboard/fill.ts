import { randomUUID } from 'node:crypto';
import { type Database, finishRun, insertSteps, startRun } from '@evenkeel/db';
import { parse, runStart } from '@evenkeel/protocol';

const GROUP = 500;

/** Stores so many finished runs of one step each. */
export async function storeRuns(db: Database, count: number): Promise<void> {
  for (let first = 0; first < count; first += GROUP) {
    const runs = Array.from({ length: Math.min(GROUP, count - first) }, (_, at) => ({
      run: randomUUID(),
      at: first + at,
    }));
    const now = new Date();
    for (const { run, at } of runs) {
      const config = { seed: at, lr: 1e-3 * (at % 10) };
      const start = {
        run,
        attempt: 1,
        project: `project ${at % 20}`,
        name: `run ${at}`,
        startedAt: 1_000 * at,
        config,
      };
      await startRun(db, parse(runStart, start), now);
    }
    const steps = [{ step: 0, time: 0, loss: 2, tevMean: 0.1 }];
    await insertSteps(
      db,
      runs.map(({ run }) => ({ run, attempt: 1, steps })),
      now,
    );
    for (const { run } of runs) await finishRun(db, { run, attempt: 1, status: 'finished', reason: null }, now);
  }
}
