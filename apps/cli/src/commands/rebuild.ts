import { existsSync } from 'node:fs';
import { forgetRollups, openDatabase, rollUp, runsWithSteps } from '@evenkeel/db';
import { action } from '@evenkeel/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { dataDirFlag } from '../common-flags.ts';
import { environment } from '../environment.ts';
import { Failure } from '../failure.ts';

const PROGRESS_MS = 2_000;

const flags = z.object({ dataDir: dataDirFlag });

export function rebuildCommand(): Command {
  const command = new Command('rebuild')
    .description('rebuild the chart rollups from the stored steps; the steps do not change')
    .addHelpText(
      'after',
      '\nDATABASE_URL=postgres://… rebuilds there instead. Stop the server of an embedded database first.',
    );
  return action(command, flags, rebuild);
}

async function rebuild({ dataDir }: z.output<typeof flags>): Promise<void> {
  const { databaseUrl } = environment;
  if (databaseUrl === null && !existsSync(dataDir)) throw new Failure(`there is no database in ${dataDir}`);
  await using db = await openDatabase(databaseUrl === null ? { dataDir } : { url: databaseUrl });
  const runs = await runsWithSteps(db);
  let reportedAt = Date.now();
  for (const [at, run] of runs.entries()) {
    await forgetRollups(db, run);
    await rollUp(db, run);
    if (Date.now() - reportedAt < PROGRESS_MS) continue;
    reportedAt = Date.now();
    console.log(`${at + 1} of ${runs.length} runs`);
  }
  console.log(`The rollups of ${runs.length} runs were rebuilt.`);
}
