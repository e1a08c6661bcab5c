import { action, flag, toggle } from '@evenkeel/terminal';
import type { Command } from 'commander';
import { z } from 'zod';
import { report } from '../failure.ts';
import { interrupted, serverCommand, serverFlags, startFromFlags, untilStopped } from '../server-options.ts';

const flags = serverFlags.extend({
  json: toggle('print its address as JSON'),
  dev: flag(z.boolean().default(false), {
    help: 'serve the pages from their sources; for `npm run dev`',
    hidden: true,
  }),
});

export function serveCommand(): Command {
  const command = serverCommand('serve').description('start the dashboard and the gateway');
  return action(command, flags, async (given) => {
    if (!given.dev) return serve(given);
    await serve(given).catch(report);
    process.exit(); // the file watcher of Next.js keeps the process alive
  });
}

async function serve({ json, ...given }: z.output<typeof flags>): Promise<void> {
  const stop = interrupted();
  await using server = await startFromFlags(given, { stop, verbose: true });
  const { url, database } = server;
  console.log(json ? JSON.stringify({ url, database }) : `Evenkeel is at ${url} (${database}). Ctrl-C stops it.`);
  await untilStopped(stop, server);
}
