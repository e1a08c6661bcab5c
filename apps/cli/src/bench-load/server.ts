import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const SAMPLE_MS = 100;

/** A server under load, as a process of its own. */
export interface LoadedServer extends AsyncDisposable {
  url: string;
  /** The most memory it had resident since it was started, in bytes; null where the system does not say. */
  peak(): number | null;
}

/** Starts the built server of a source tree. Disposed, it is killed: what waits in it is of no use any more. */
export async function startLoadedServer(
  tree: string,
  dataDir: string,
  databaseUrl: string | null,
): Promise<LoadedServer> {
  const program = join(tree, 'apps/cli/bin/evenkeel.mjs');
  const args = [program, 'serve', '--json', '--port', '0', '--data-dir', dataDir];
  const { EVENKEEL_ACCESS_TOKEN: _, ...env } = process.env;
  const child = spawn(process.execPath, args, {
    env: { ...env, DATABASE_URL: databaseUrl ?? '' },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = once(child, 'exit');
  const url = await Promise.race([printedUrl(child), ended.then(() => null)]);
  if (url === null) throw new Error(`the server of ${tree} ended as it started`);
  let peak: number | null = null;
  const timer = setInterval(() => {
    const now = residentBytes(child.pid);
    if (now !== null) peak = Math.max(peak ?? 0, now);
  }, SAMPLE_MS);
  return {
    url,
    peak: () => peak,
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer);
      child.kill('SIGKILL');
      await ended;
    },
  };
}

async function printedUrl({ stdout }: ChildProcess): Promise<string> {
  let text = '';
  for await (const chunk of stdout ?? []) {
    text += chunk;
    const [, url] = /"url":"([^"]+)"/.exec(text) ?? [];
    if (!url) continue;
    return url;
  }
  return new Promise(() => {}); // it has ended, which is noticed elsewhere
}

function residentBytes(pid: number | undefined): number | null {
  try {
    const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kilobytes === undefined ? null : 1024 * Number(kilobytes);
  } catch {
    return null; // no Linux, or it has ended
  }
}
