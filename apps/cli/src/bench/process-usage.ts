import { readdirSync, readFileSync } from 'node:fs';

/** What Linux counts CPU time in; the kernel reports it to programs in hundredths of a second on every machine. */
const TICK_MS = 10;

interface Stat {
  parent: number;
  /** Milliseconds of CPU time, in user and in kernel mode. */
  cpuMs: number;
  /** The same of children that have ended. */
  endedMs: number;
}

/** The resident memory of a process, in bytes; null where it has ended, or the system has no /proc. */
export function residentBytes(pid: number): number | null {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readOrEmpty(`/proc/${pid}/status`)) ?? [];
  return kilobytes === undefined ? null : 1024 * Number(kilobytes);
}

/** CPU time of each thread of a process, in milliseconds, by the thread's id; that of the main thread is the process's. */
export function threadTimes(pid: number): Map<number, number> {
  const threads = namesIn(`/proc/${pid}/task`).map(Number);
  return new Map(threads.map((thread) => [thread, statOf(`/proc/${pid}/task/${thread}/stat`)?.cpuMs ?? 0]));
}

/** CPU time of a process and of all its descendants, those that have ended included, in milliseconds. */
export function familyTime(pid: number): number {
  const own = statOf(`/proc/${pid}/stat`);
  if (!own) return Number.NaN;
  const others = namesIn('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((name) => ({ pid: Number(name), stat: statOf(`/proc/${name}/stat`) }));
  const timeOf = (stat: Stat, parent: number): number =>
    others.reduce(
      (sum, child) => (child.stat?.parent === parent ? sum + timeOf(child.stat, child.pid) : sum),
      stat.cpuMs + stat.endedMs,
    );
  return timeOf(own, pid);
}

export function parentOf(pid: number): number | null {
  return statOf(`/proc/${pid}/stat`)?.parent ?? null;
}

function statOf(path: string): Stat | null {
  const text = readOrEmpty(path);
  // The program's name, in parentheses, may hold spaces; the parent's id is the second field behind it.
  const fields = text
    .slice(text.lastIndexOf(')') + 2)
    .split(' ')
    .map(Number);
  const [, parent, , , , , , , , , , user, system, endedUser, endedSystem] = fields;
  if (parent === undefined || user === undefined || system === undefined) return null;
  return {
    parent,
    cpuMs: TICK_MS * (user + system),
    endedMs: TICK_MS * ((endedUser ?? 0) + (endedSystem ?? 0)),
  };
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return []; // it has ended, or this is no Linux
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
