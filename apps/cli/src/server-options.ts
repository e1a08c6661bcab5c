import type { RunningServer, ServerSettings } from '@evenkeel/dashboard/server';
import { flag, whole } from '@evenkeel/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { dataDirFlag } from './common-flags.ts';
import { environment } from './environment.ts';
import { Failure } from './failure.ts';
import { openServerLog } from './server-log.ts';

/** Limit of the whole shutdown, in milliseconds. */
const CLOSE_MS = 30_000;

/** The flags of every command that starts a server. */
export const serverFlags = z.object({
  port: flag(whole.max(65_535).default(4870), { value: '<port>', help: 'port to listen on; 0 takes a free one' }),
  host: flag(z.string().default('127.0.0.1'), {
    value: '<address>',
    help: 'address to listen on; any but loopback requires EVENKEEL_ACCESS_TOKEN and an ingest key',
  }),
  dataDir: dataDirFlag,
  allowHost: flag(z.array(z.string()).default([]), {
    value: '<name...>',
    help: 'further host names that the server answers to',
  }),
  trustedProxy: flag(z.array(z.string()).default(environment.trustedProxies), {
    value: '<address...>',
    help: 'addresses or ranges of proxies whose X-Forwarded-For is trusted (EVENKEEL_TRUSTED_PROXY)',
  }),
});

/** A command that takes them. */
export function serverCommand(name: string): Command {
  return new Command(name).addHelpText(
    'after',
    '\nDATABASE_URL=postgres://… stores on PostgreSQL instead of in the data directory.',
  );
}

interface StartOptions {
  /** Exits at once if it resolves before the server has started: nothing has been acknowledged by then. */
  stop: Promise<void>;
  verbose?: boolean;
}

/** Starts the server that the flags and the environment describe; it logs errors, and all else if `verbose`. */
export async function startFromFlags(
  { allowHost, trustedProxy, ...flags }: z.output<typeof serverFlags> & { dev?: boolean },
  { stop, verbose = false }: StartOptions,
): Promise<RunningServer> {
  const { accessToken, databaseUrl, mlflow } = environment;
  const settings: ServerSettings = {
    host: flags.host,
    port: flags.port,
    dataDir: flags.dataDir,
    databaseUrl,
    accessToken,
    allowedHosts: allowHost,
    trustedProxies: trustedProxy,
    mlflow: mlflow as ServerSettings['mlflow'], // parsed there
    dev: flags.dev,
  };
  const { startServer } = await import('@evenkeel/dashboard/server'); // Next.js takes a while to load
  const log = openServerLog();
  const starting = startServer(settings, (level, message, error) => {
    if (level === 'error' || verbose) log.write(level, message, error);
  });
  return (await Promise.race([starting, stop])) ?? process.exit(1);
}

/**
 * Resolves at the first Ctrl-C or termination signal. Work in progress has half a minute to finish, then the
 * process exits anyway; at a second signal it exits at once.
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
 * @throws Failure once the server cannot store anything any more: the process should exit and be restarted.
 */
export async function untilStopped(stop: Promise<void>, { failed }: Pick<RunningServer, 'failed'>): Promise<void> {
  const problem = await Promise.race([stop, failed]);
  if (problem === undefined) return;
  endWithin(CLOSE_MS);
  throw new Failure(problem);
}

/** Exits even if something keeps the process alive: closing may wait for what never comes. */
function endWithin(ms: number): void {
  const end = () => {
    console.error(`evenkeel: closing took longer than ${ms / 1_000} seconds; what is acknowledged is stored`);
    process.exit(1);
  };
  setTimeout(end, ms).unref();
}
