import type { Command } from 'commander';
import { interrupted, serverCommand, startFromFlags, untilStopped } from '../server-options.ts';

export function serveCommand(): Command {
  return serverCommand('serve')
    .description('start the dashboard and the gateway')
    .option('--json', 'print where it listens as JSON')
    .action(async ({ json, ...flags }) => {
      const stop = interrupted();
      await using server = await startFromFlags(flags, { stop, verbose: true });
      const { url, database } = server;
      console.log(json ? JSON.stringify({ url, database }) : `Evenkeel is at ${url} (${database}). Ctrl-C stops it.`);
      await untilStopped(stop, server);
    });
}
