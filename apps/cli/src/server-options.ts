import { type RunningServer, type ServerSettings, startServer } from '@evenkeel/dashboard/server';
import { Command } from 'commander';
import { environment } from './environment.ts';
import { Failure } from './failure.ts';
import { readPort } from './numbers.ts';
import { openServerLog } from './server-log.ts';

/** What closing may take in all, in milliseconds. */
const CLOSE_MS = 30_000;

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

interface StartOptions {
  /** Ends the process at once where it resolves before the server has started: nothing is acknowledged by then. */
  stop: Promise<void>;
  verbose?: boolean;
}

/** Starts the server that the flags and the environment describe; it logs errors, and all else if `verbose`. */
export async function startFromFlags(
  { allowHost, trustedProxy, ...flags }: ServerFlags,
  { stop, verbose = false }: StartOptions,
): Promise<RunningServer> {
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
  const starting = startServer(settings, (level, message, error) => {
    if (level === 'error' || verbose) log.write(level, message, error);
  });
  return (await Promise.race([starting, stop])) ?? process.exit(1);
}

/**
 * Resolves at the first Ctrl-C or termination signal. What was begun has half a minute to end, then the process ends
 * all the same; at a second signal it ends at once.
 */
export function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        process.once(signal, () => process.exit(1));
        endWithin(CLOSE_MS);
        resolve();
      });
    }
  });
}

/**
 * Resolves as `stop` does.
 * @throws Failure as soon as the server can store nothing any more: the process is to end, to be started again.
 */
export async function untilStopped(stop: Promise<void>, { failed }: Pick<RunningServer, 'failed'>): Promise<void> {
  const problem = await Promise.race([stop, failed]);
  if (problem === undefined) return;
  endWithin(CLOSE_MS);
  throw new Failure(problem);
}

/** Whatever still keeps the process: closing may wait for what never comes. */
function endWithin(ms: number): void {
  const end = () => {
    console.error(`evenkeel: closing took longer than ${ms / 1_000} seconds; what is acknowledged is stored`);
    process.exit(1);
  };
  setTimeout(end, ms).unref();
}
