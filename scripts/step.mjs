import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * Runs a command at the repository's root, with a dot every two seconds. Its output is shown only if it fails, and then
 * this process ends too.
 */
export async function step(title, command, args) {
  process.stdout.write(`▸ ${title} `);
  const began = Date.now();
  const dots = setInterval(() => process.stdout.write('.'), 2_000);
  const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1', NEXT_TELEMETRY_DISABLED: '1' };
  const child = spawn(command, args, { cwd: root, env, shell: process.platform === 'win32' });
  const output = [];
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => output.push(chunk));
  const status = await new Promise((resolve) => child.once('close', resolve));
  clearInterval(dots);
  console.log(` ${((Date.now() - began) / 1000).toFixed(1)} s`);
  if (status === 0) return;
  process.stderr.write(Buffer.concat(output));
  process.exit(status ?? 1);
}
