import { name } from '@evenkeel/protocol';
import { FILE_FORMATS, STORE_FORMATS } from '@evenkeel/readers';
import { action, flag, toggle } from '@evenkeel/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { serverFlag } from '../common-flags.ts';
import { importRecordings } from '../import/recordings.ts';
import { importRuns } from '../import/runs.ts';
import { isSource } from '../import/sources.ts';

const FORMATS = ['recording', ...[...FILE_FORMATS, ...STORE_FORMATS].map((format) => format.name)] as const;

const flags = z.object({
  server: serverFlag,
  project: flag(name.optional(), {
    value: '<name>',
    help: 'project of the runs (default: the one that they name, else "imported")',
  }),
  format: flag(z.enum(FORMATS).optional(), {
    value: '<name>',
    help: 'what the files are (default: found by their contents)',
  }),
  replace: toggle('delete what the server has of a run whose source has changed, and import it again'),
  dryRun: toggle('read and check the files, and send nothing'),
  json: toggle('print one JSON object for each attempt of a run'),
});

export function importCommand(): Command {
  const command = new Command('import')
    .description('import runs into a server; importing the same again changes nothing')
    .argument(
      '<source...>',
      'recordings (.jsonl, .gz, glob patterns), files or folders of other trackers, or a postgres:// URL of MLflow',
    )
    .addHelpText('after', '\nEVENKEEL_KEY holds the ingest key, if the server requires one.');
  return action(command, flags, async ({ format, ...request }, sources: string[]) => {
    const recordings: string[] = [];
    const others: string[] = [];
    for (const source of sources) ((await isOther(source, format)) ? others : recordings).push(source);
    if (recordings.length > 0) await importRecordings(recordings, request);
    if (others.length > 0) await importRuns(others, { ...request, format });
  });
}

/** What no reader of another tracker knows is a recording, or a pattern of recordings. */
async function isOther(source: string, format: string | undefined): Promise<boolean> {
  return format === undefined ? isSource(source) : format !== 'recording';
}
