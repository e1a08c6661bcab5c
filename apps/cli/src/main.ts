import { Command } from 'commander';
import { addBench } from '#bench';
import manifest from '../package.json' with { type: 'json' };
import { alertsCommand } from './commands/alerts.ts';
import { demoCommand } from './commands/demo.ts';
import { exportCommand } from './commands/export.ts';
import { importCommand } from './commands/import.ts';
import { keyCommand } from './commands/key.ts';
import { rebuildCommand } from './commands/rebuild.ts';
import { replayCommand } from './commands/replay.ts';
import { runsCommand } from './commands/runs.ts';
import { serveCommand } from './commands/serve.ts';
import { stopCommand } from './commands/stop.ts';
import { syncCommand } from './commands/sync.ts';
import { defineTraining, startingTrainers, studyCommand, trainCommand } from './commands/training.ts';
import { watchCommand } from './commands/watch.ts';
import { report } from './failure.ts';

const program = new Command('evenkeel')
  .description('Watches language-model pre-training and warns before a run diverges.')
  .version(manifest.version)
  .showHelpAfterError('(--help lists the commands)')
  .addCommand(startingTrainers(demoCommand()))
  .addCommand(serveCommand())
  .addCommand(trainCommand)
  .addCommand(studyCommand)
  .addCommand(importCommand())
  .addCommand(exportCommand())
  .addCommand(syncCommand())
  .addCommand(watchCommand())
  .addCommand(replayCommand())
  .addCommand(rebuildCommand())
  .addCommand(runsCommand())
  .addCommand(alertsCommand())
  .addCommand(stopCommand())
  .addCommand(keyCommand());
addBench(program);

try {
  await defineTraining(process.argv.slice(2));
  await program.parseAsync();
} catch (error) {
  report(error);
}
