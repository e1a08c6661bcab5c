import { type ServerSettings, startServer } from '@evenkeel/dashboard/server';
import { Command } from 'commander';
import { environment } from './environment.ts';
import { readPort } from './numbers.ts';
import { openServerLog } from './server-log.ts';

interface ServerFlags {
  host: string;
  port: number;
  dataDir: string;
  allowHost: string[];
  trustedProxy: string[];
}

/** A command with the flags that every command which starts a server takes. */
export function serverCommand(name: string): Command {
  return new Command(name)
    .option('--port <port>', 'port to listen on; 0 takes a free one', readPort, 4870)
    .option(
      '--host <address>',
      'address to listen on; beyond this machine it needs EVENKEEL_ACCESS_TOKEN and an ingest key',
      '127.0.0.1',
    )
    .option('--data-dir <folder>', 'where the embedded database lives (EVENKEEL_DATA_DIR)', environment.dataDir)
    .option('--allow-host <name...>', 'further host names by which the server may be addressed', [])
    .option(
      '--trusted-proxy <address...>',
      'addresses or ranges of proxies that name their client in X-Forwarded-For (EVENKEEL_TRUSTED_PROXY)',
      environment.trustedProxies,
    )
    .addHelpText('after', '\nDATABASE_URL=postgres://… stores on PostgreSQL instead of in the data directory.');
}

/** Starts the server that the flags and the environment describe; it logs errors, and all else if `verbose`. */
export function startFromFlags({ allowHost, trustedProxy, ...flags }: ServerFlags, verbose: boolean) {
  const { accessToken, databaseUrl } = environment;
  const settings: ServerSettings = {
    host: flags.host,
    port: flags.port,
    dataDir: flags.dataDir,
    databaseUrl,
    accessToken,
    allowedHosts: allowHost,
    trustedProxies: trustedProxy,
  };
  const log = openServerLog();
  return startServer(settings, (level, message, error) => {
    if (level === 'error' || verbose) log.write(level, message, error);
  });
}

/** Resolves at the first Ctrl-C or termination signal; a second one ends the process at once. */
export function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(1));
        resolve();
      });
    }
  });
}
