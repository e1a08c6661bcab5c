import { availableParallelism } from 'node:os';
import { basename, extname } from 'node:path';
import { printable } from '@evenkeel/protocol';
import { action, flag, toggle } from '@evenkeel/terminal';
import { keyFlag, reportUsageErrors, requirePackages, serverFlag, TENSORFLOW, UsageError } from '@evenkeel/trainer';
import { Command } from 'commander';
import { z } from 'zod';
import manifest from '../package.json' with { type: 'json' };
import { report } from './report.ts';
import { runStudy, type StudyEnd } from './study.ts';
import { readStudy, type Study } from './study-file.ts';

const studyFlags = z.object({
  out: flag(z.string().optional(), {
    value: '<folder>',
    help: 'folder of the results, and to resume from (default: name of the file)',
  }),
  server: serverFlag,
  key: keyFlag,
  offline: toggle('send nothing; runs are always recorded'),
  parallel: flag(z.int32().min(1).optional(), {
    value: '<count>',
    help: 'runs at a time (default: as in the file, or one per core)',
  }),
  dryRun: toggle('list the runs, and train nothing'),
  report: toggle('write tables and plots of the finished runs, and train nothing'),
});
type StudyFlags = z.output<typeof studyFlags>;

/** What draws the plots. */
const { vega, 'vega-lite': vegaLite } = manifest.dependencies;
const VEGA = { vega, 'vega-lite': vegaLite };

/** The exit codes of a process that a signal ended, as a shell reports them. */
const EXIT_CODES: Partial<Record<NodeJS.Signals, number>> = { SIGINT: 130, SIGTERM: 143 };

/** Gives a command the flags and the action of `evenkeel study`, which trains a grid of runs and compares them. */
export function studyCommand(command = new Command('study')): Command {
  command.argument(
    '<file>',
    'the study as YAML: project, base (settings of all runs), grid (lists of settings to combine)',
  );
  return action(command, studyFlags, (flags, file: string) =>
    reportUsageErrors(command, async () => {
      process.exitCode = await run(file, flags);
    }),
  );
}

/** Resolves to the exit code. */
async function run(file: string, flags: StudyFlags): Promise<number> {
  // before anything is trained, since the plots come last
  if (!flags.dryRun) requirePackages(flags.report ? VEGA : { ...TENSORFLOW, ...VEGA });
  const study = await readStudy(file);
  const out = flags.out ?? basename(file, extname(file));
  if (flags.dryRun) {
    for (const { name } of study.runs) console.log(printable(name));
    return 0;
  }
  const end = flags.report ? { failed: 0, signal: null } : await train(study, out, flags);
  if (end.signal) {
    console.log('stopped: the same command resumes it');
    return EXIT_CODES[end.signal] ?? 1;
  }
  const written = await report(study, out);
  if (written.length === 0)
    throw new UsageError(`no run of ${study.project} has finished in ${out}: there is nothing to report`);
  for (const path of written) console.log(path);
  if (end.failed === 0) return 0;
  console.error(`${end.failed} runs failed: the same command retries them`);
  return 1;
}

function train(study: Study, out: string, flags: StudyFlags): Promise<StudyEnd> {
  const parallel = flags.parallel ?? study.parallel ?? availableParallelism();
  return runStudy(study, { out, parallel, key: flags.key, server: flags.offline ? null : flags.server });
}
