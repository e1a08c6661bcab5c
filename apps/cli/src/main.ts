import { benchTrainCommand, studyCommand, trainCommand } from '@evenkeel/trainer';
import { Command } from 'commander';
import manifest from '../package.json' with { type: 'json' };
import { benchDashboardCommand } from './commands/bench-dashboard.ts';
import { benchForecastCommand } from './commands/bench-forecast.ts';
import { benchIngestCommand, ingestPartCommand } from './commands/bench-ingest.ts';
import { benchLoadCommand, loadCommand } from './commands/bench-load.ts';
import { demoCommand } from './commands/demo.ts';
import { importCommand } from './commands/import.ts';
import { keyCommand } from './commands/key.ts';
import { rebuildCommand } from './commands/rebuild.ts';
import { replayCommand } from './commands/replay.ts';
import { runsCommand } from './commands/runs.ts';
import { serveCommand } from './commands/serve.ts';
import { stopCommand } from './commands/stop.ts';
import { syncCommand } from './commands/sync.ts';
import { report } from './failure.ts';

const program = new Command('evenkeel')
  .description('Watches language-model pre-training and warns before a run diverges.')
  .version(manifest.version)
  .showHelpAfterError('(--help lists what there is)')
  .addCommand(demoCommand())
  .addCommand(serveCommand())
  .addCommand(trainCommand())
  .addCommand(studyCommand())
  .addCommand(importCommand())
  .addCommand(syncCommand())
  .addCommand(replayCommand())
  .addCommand(benchCommand())
  .addCommand(rebuildCommand())
  .addCommand(runsCommand())
  .addCommand(stopCommand())
  .addCommand(keyCommand())
  .addCommand(loadCommand(), { hidden: true });

function benchCommand(): Command {
  return new Command('bench')
    .description('measure Evenkeel on this machine')
    .addCommand(benchTrainCommand())
    .addCommand(benchForecastCommand())
    .addCommand(benchDashboardCommand())
    .addCommand(benchIngestCommand())
    .addCommand(ingestPartCommand(), { hidden: true })
    .addCommand(benchLoadCommand());
}

try {
  await program.parseAsync();
} catch (error) {
  report(error);
}
