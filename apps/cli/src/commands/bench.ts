import { Command } from 'commander';
import { benchDashboardCommand } from './bench-dashboard.ts';
import { benchDoorsCommand } from './bench-doors.ts';
import { benchFilesCommand } from './bench-files.ts';
import { benchForecastCommand } from './bench-forecast.ts';
import { benchIngestCommand, ingestPartCommand } from './bench-ingest.ts';
import { benchLoadCommand, loadCommand } from './bench-load.ts';
import { benchTrainCommand } from './training.ts';

/** Adds `bench`, and what it runs as processes of their own. */
export function addBench(program: Command): void {
  const bench = new Command('bench')
    .description('measure Evenkeel on this machine')
    .addCommand(benchTrainCommand)
    .addCommand(benchForecastCommand())
    .addCommand(benchDashboardCommand())
    .addCommand(benchIngestCommand())
    .addCommand(ingestPartCommand(), { hidden: true })
    .addCommand(benchLoadCommand())
    .addCommand(benchDoorsCommand())
    .addCommand(benchFilesCommand());
  program.addCommand(bench).addCommand(loadCommand(), { hidden: true });
}
