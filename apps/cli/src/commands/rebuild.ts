import { existsSync } from 'node:fs';
import { forgetRollups, openDatabase, rollUp, runsWithSteps } from '@evenkeel/db';
import { Command } from 'commander';
import { environment } from '../environment.ts';
import { Failure } from '../failure.ts';

const PROGRESS_MS = 2_000;

export function rebuildCommand(): Command {
  return new Command('rebuild')
    .description('make what charts are drawn from anew, out of the steps; the steps themselves stay as they are')
    .option('--data-dir <folder>', 'where the embedded database lives (EVENKEEL_DATA_DIR)', environment.dataDir)
    .addHelpText(
      'after',
      '\nDATABASE_URL=postgres://… rebuilds there instead. An embedded database must not be served meanwhile.',
    )
    .action(async ({ dataDir }: { dataDir: string }) => {
      const { databaseUrl } = environment;
      if (databaseUrl === null && !existsSync(dataDir)) throw new Failure(`there is no database in ${dataDir}`);
      await using db = await openDatabase(databaseUrl === null ? { dataDir } : { url: databaseUrl });
      const runs = await runsWithSteps(db);
      let toldAt = Date.now();
      for (const [at, run] of runs.entries()) {
        await forgetRollups(db, run);
        await rollUp(db, run);
        if (Date.now() - toldAt < PROGRESS_MS) continue;
        toldAt = Date.now();
        console.log(`${at + 1} of ${runs.length} runs`);
      }
      console.log(`The rollups of ${runs.length} runs are new.`);
    });
}
