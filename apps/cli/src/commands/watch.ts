import { realpath, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { name, printable } from '@evenkeel/protocol';
import { customTextLog, FILE_FORMATS, type FileFormat } from '@evenkeel/readers';
import { action, flag, toggle } from '@evenkeel/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { serverFlag } from '../common-flags.ts';
import { environment } from '../environment.ts';
import { Failure } from '../failure.ts';
import { checkServer } from '../import/deliver.ts';
import { printDryRun } from '../watch/dry-run.ts';
import { Notices } from '../watch/notices.ts';
import { defaultStatePath, WatchState } from '../watch/state.ts';
import { Watch } from '../watch/watch.ts';

const flags = z.object({
  server: serverFlag,
  project: flag(name.optional(), {
    value: '<name>',
    help: 'project of the runs (default: the one that a file names, else the folder’s name)',
  }),
  format: flag(z.enum(FILE_FORMATS.map((format) => format.name)).optional(), {
    value: '<format>',
    help: 'follow files of this format alone',
  }),
  pattern: flag(z.string().refine(isExpression, 'Expected a regular expression with named groups').optional(), {
    value: '<regexp>',
    help: 'a line of a text log: (?<step>…), (?<time>…), and a group for each value, such as (?<loss>…)',
    conflicts: ['format'],
  }),
  dryRun: toggle('print which files would be which runs and what their names would become, and end'),
  once: toggle('send what is there, and end'),
  endedAfter: flag(z.number().positive().default(30), {
    value: '<minutes>',
    help: 'a run has finished when its files have not changed for so long',
  }),
  poll: flag(z.number().positive().optional(), {
    value: '<seconds>',
    help: 'read the folders again so often, for network file systems that report no changes',
  }),
  state: flag(z.string().optional(), {
    value: '<file>',
    help: 'file that remembers what was sent (default: one in ~/.local/state/evenkeel)',
  }),
});
type Flags = z.output<typeof flags>;

export function watchCommand(): Command {
  const command = new Command('watch')
    .description('follow the files that training jobs write and send what is new to a server')
    .argument('<dir...>', 'folders: every file below them that has a known format is followed')
    .addHelpText('after', '\nEVENKEEL_KEY holds the ingest key, if the server requires one.');
  return action(command, flags, async (given, dirs: string[]) => {
    const folders = await realFolders(dirs);
    const formats = formatsOf(given);
    if (given.dryRun) await printDryRun(folders, formats, given.project);
    else await watch(folders, formats, given);
  });
}

function isExpression(source: string): boolean {
  try {
    return new RegExp(source) !== null && /\(\?<\w+>/.test(source);
  } catch {
    return false;
  }
}

function formatsOf({ format, pattern }: Flags): readonly FileFormat[] {
  if (pattern !== undefined) return [customTextLog(new RegExp(pattern))];
  return format === undefined ? FILE_FORMATS : FILE_FORMATS.filter(({ name }) => name === format);
}

/** Absolute paths without links. A folder within another of them is that one's. */
async function realFolders(dirs: readonly string[]): Promise<string[]> {
  const paths = new Set<string>();
  for (const dir of dirs) {
    const found = await stat(dir).catch(() => null);
    if (!found?.isDirectory()) throw new Failure(`there is no folder ${dir}`);
    paths.add(await realpath(dir));
  }
  return [...paths].filter((path) => ![...paths].some((other) => path !== other && path.startsWith(join(other, sep))));
}

async function watch(folders: string[], formats: readonly FileFormat[], given: Flags): Promise<void> {
  const { server, project, endedAfter, poll } = given;
  if (!URL.canParse(server)) throw new Failure(`--server: "${server}" is not a URL such as http://127.0.0.1:4870`);
  const notices = new Notices();
  const state = await WatchState.load(given.state ?? defaultStatePath(server, project, folders), server, notices);
  const stopping = new AbortController();
  const stop = () => stopping.abort();
  process.once('SIGINT', stop).once('SIGTERM', stop);
  const watching = new Watch({
    folders,
    formats,
    project,
    endedAfterMs: endedAfter * 60_000,
    pollMs: poll === undefined ? null : poll * 1000,
    state,
    destination: { server, key: environment.key ?? undefined, notices, signal: stopping.signal },
    print: (line) => console.log(printable(line)),
  });
  try {
    if (given.once) await sendOnce(watching, server);
    else await watching.follow();
  } finally {
    stopping.abort();
    await state.save();
    process.off('SIGINT', stop).off('SIGTERM', stop);
  }
}

async function sendOnce(watching: Watch, server: string): Promise<void> {
  await checkServer(server);
  await watching.once();
  if (watching.setAside > 0) throw new Failure(`${watching.setAside} of the runs could not be sent`);
}
