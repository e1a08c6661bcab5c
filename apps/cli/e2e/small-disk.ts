import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inject } from 'vitest';

const MB = 1024 * 1024;

export interface SmallDisk extends Disposable {
  path: string;
  /** Fills it until so many megabytes are left. */
  fill(leave: number): void;
  /** Takes back what `fill` wrote. */
  free(): void;
}

/** A disk of so many megabytes, gone when the test is over. Only where `inject('faults').mount` is known. */
export function smallDisk(megabytes: number): SmallDisk {
  const commands = inject('faults').mount;
  if (!commands) throw new Error('this machine does not let tests mount');
  const path = mkdtempSync(join(tmpdir(), 'evenkeel-disk-'));
  run([...commands.mount, '-t', 'tmpfs', '-o', `size=${megabytes}m,mode=1777`, 'tmpfs', path]);
  const ballast = join(path, 'ballast');
  return {
    path,
    fill: (leave) => {
      const { bavail, bsize } = statfsSync(path);
      writeFileSync(ballast, Buffer.alloc(Math.max(0, bavail * bsize - leave * MB)));
    },
    free: () => rmSync(ballast),
    [Symbol.dispose]: () => {
      run([...commands.umount, path]);
      rmdirSync(path);
    },
  };
}

function run([command = '', ...args]: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'inherit'] });
}
