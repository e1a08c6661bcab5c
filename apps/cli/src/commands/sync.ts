import { existsSync } from 'node:fs';
import { type SyncedFile, syncSpool } from '@evenkeel/emit';
import { printable } from '@evenkeel/protocol';
import { action, toggle } from '@evenkeel/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { serverFlag } from '../common-flags.ts';
import { environment } from '../environment.ts';
import { Failure } from '../failure.ts';

const PROGRESS_MS = 2_000;

const flags = z.object({
  server: serverFlag,
  json: toggle('print one JSON object for each file'),
});
type Flags = z.output<typeof flags>;

export function syncCommand(): Command {
  const command = new Command('sync')
    .description(
      'send the steps that trainers left in a spool folder when they were killed or the server was unreachable',
    )
    .argument('[dir]', `the spool (EVENKEEL_SPOOL; default: ${environment.spool})`)
    .addHelpText(
      'after',
      '\nA file is deleted once the server has acknowledged all of it; the exit status is 1 if one is kept.' +
        '\nEVENKEEL_KEY holds the ingest key, if the server requires one.',
    );
  return action(command, flags, async (given, dir: string | undefined) => {
    if (dir !== undefined && !existsSync(dir)) throw new Failure(`there is no folder ${dir}`);
    const folder = dir ?? environment.spool;
    const files = await sendAll(folder, given);
    if (!given.json) console.log(summary(folder, files, given.server));
    const kept = files.filter(({ status }) => status === 'kept').length;
    if (kept > 0)
      throw new Failure(`${count(kept, 'file')} could not be sent and were kept; "evenkeel sync" can be repeated`);
  });
}

async function sendAll(folder: string, { server, json }: Flags): Promise<SyncedFile[]> {
  const files: SyncedFile[] = [];
  let steps = 0;
  const progress = () => report(`${files.length} files are done, ${steps} steps are sent so far`);
  const timer = setInterval(progress, PROGRESS_MS); // it also keeps the process alive, as emit does not
  const onProgress = (more: number) => {
    steps += more;
  };
  try {
    for await (const file of syncSpool({ server, key: environment.key ?? undefined, folder, onProgress })) {
      files.push(file);
      if (json) console.log(JSON.stringify(file));
      else for (const line of linesOf(file)) console.log(printable(line));
    }
  } catch (error) {
    throw error instanceof TypeError ? new Failure(error.message) : error;
  } finally {
    clearInterval(timer);
  }
  return files;
}

function linesOf(file: SyncedFile): string[] {
  const run = file.attempt === 1 || file.attempt === null ? file.run : `${file.run}, attempt ${file.attempt}`;
  if (file.status === 'held') return [`${run}: left alone, a living process holds ${file.path}`];
  const lines = [`${run}: ${count(file.steps, 'step')} sent`];
  if (file.lost > 0) lines.push(`  ${count(file.lost, 'step')} lost, since the file was damaged`);
  if (file.refused > 0) lines.push(`  ${count(file.refused, 'step')} refused by the server`);
  for (const { field, reason, count: times } of file.dropped) {
    lines.push(`  the server left ${field} out of ${count(times, 'step')}: ${reason}`);
  }
  if (file.status === 'kept') lines.push(`  ${file.path} is kept: ${file.reason}`);
  return lines;
}

function summary(folder: string, files: readonly SyncedFile[], server: string): string {
  if (files.length === 0) return `There is nothing to send in ${folder}.`;
  const sent = files.filter(({ status }) => status === 'sent').length;
  const steps = files.reduce((sum, file) => sum + file.steps, 0);
  return `${count(sent, 'file')} of ${files.length} with ${count(steps, 'step')} sent to ${server}.`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}

function report(message: string): void {
  console.error(`evenkeel: ${message}`);
}
