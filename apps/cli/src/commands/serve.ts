import type { Command } from 'commander';
import { interrupted, serverCommand, startFromFlags } from '../server-options.ts';

export function serveCommand(): Command {
  return serverCommand('serve')
    .description('start the dashboard and the gateway')
    .option('--json', 'print where it listens as JSON')
    .action(async ({ json, ...flags }) => {
      const stop = interrupted();
      const server = await startFromFlags(flags, true);
      const { url, database } = server;
      console.log(json ? JSON.stringify({ url, database }) : `Evenkeel is at ${url} (${database}). Ctrl-C stops it.`);
      await stop;
      await server.close();
    });
}
