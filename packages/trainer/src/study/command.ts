import { availableParallelism } from 'node:os';
import { basename, extname } from 'node:path';
import { printable } from '@evenkeel/protocol';
import { Command, Option } from 'commander';
import { whole } from '../flags.ts';
import { tellUsageErrors, UsageError } from '../usage-error.ts';
import { report } from './report.ts';
import { runStudy, type StudyEnd } from './study.ts';
import { readStudy, type Study } from './study-file.ts';

interface StudyFlags {
  out?: string;
  server: string;
  key?: string;
  offline: boolean;
  parallel?: number;
  dryRun: boolean;
  report: boolean;
}

/** What a shell makes of a process that a signal ended. */
const EXIT_CODES: Partial<Record<NodeJS.Signals, number>> = { SIGINT: 130, SIGTERM: 143 };

/** `evenkeel study FILE`: trains a grid of runs in processes of their own, and compares them. */
export function studyCommand(): Command {
  const command = new Command('study')
    .description('train a grid of runs, several at a time, and compare them in tables and plots')
    .argument('<file>', 'the study as YAML: project, base (settings of all runs), grid (lists of settings to combine)')
    .option('--out <folder>', 'where all is kept, and gone on from (default: the file’s name without its ending)')
    .addOption(
      new Option('--server <url>', 'the server that takes the steps')
        .env('EVENKEEL_SERVER')
        .default('http://127.0.0.1:4870'),
    )
    .addOption(new Option('--key <key>', 'ingest key, where the server asks for one').env('EVENKEEL_KEY'))
    .option('--offline', 'send nothing; runs are recorded in any case', false)
    .option('--parallel <count>', 'runs at a time (default: the file’s, or one a core)', whole(1))
    .option('--dry-run', 'list the runs, and train nothing', false)
    .option('--report', 'write tables and plots of what is done, and train nothing', false);
  return command.action((file: string, flags: StudyFlags) =>
    tellUsageErrors(command, async () => {
      process.exitCode = await act(file, flags);
    }),
  );
}

/** Resolves to the exit code. */
async function act(file: string, flags: StudyFlags): Promise<number> {
  const study = await readStudy(file);
  const out = flags.out ?? basename(file, extname(file));
  if (flags.dryRun) {
    for (const { name } of study.runs) console.log(printable(name));
    return 0;
  }
  const end = flags.report ? { broken: 0, signal: null } : await train(study, out, flags);
  if (end.signal) {
    console.log(`stopped: the same command goes on from here`);
    return EXIT_CODES[end.signal] ?? 1;
  }
  const written = await report(study, out);
  if (written.length === 0)
    throw new UsageError(`no run of ${study.project} is done in ${out}: there is nothing to report`);
  for (const path of written) console.log(path);
  if (end.broken === 0) return 0;
  console.error(`${end.broken} runs broke down: the same command tries them again`);
  return 1;
}

function train(study: Study, out: string, flags: StudyFlags): Promise<StudyEnd> {
  const parallel = flags.parallel ?? study.parallel ?? availableParallelism();
  return runStudy(study, { out, parallel, key: flags.key, server: flags.offline ? null : flags.server });
}
