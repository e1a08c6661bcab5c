// Shows where the time goes from a fresh clone of what is committed to the first live step of the demo, and from there
// when it is started again: `node scripts/measure-start.mjs`. CPU time is that of all processes together, which says more
// than the clock where other programs run beside; it is read from /proc, so on Linux only.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { root } from './step.mjs';

const TICKS_PER_SECOND = 100; // of /proc, on every Linux that Node.js runs on
const POLL_MS = 50;
/** What of the output begins a phase. */
const PHASES = [
  ['install', /▸ Installing/],
  ['build', /▸ Building/],
  ['trainers', /Evenkeel is at (\S+)/],
];

const folder = mkdtempSync(join(tmpdir(), 'evenkeel-start-'));
try {
  const clone = join(folder, 'clone');
  execFileSync('git', ['clone', '--quiet', root, clone]);
  console.log(`Node.js ${process.versions.node}, ${cpus().length} cores; npm's cache as it is\n`);
  console.log('start   phase         clock, s   CPU, s   load');
  for (const name of ['first', 'second']) print(name, await measure(clone));
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** The time at which each phase began, and that of the first step. */
async function measure(clone) {
  const port = await freePort();
  const args = ['start', '--', '--no-open', '--port', String(port), '--data-dir', join(folder, 'data')];
  const child = spawn('npm', args, { cwd: clone, detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  const marks = [];
  const began = performance.now();
  const since = Date.now();
  const mark = (phase) => {
    const [load = 0] = loadavg();
    marks.push({ phase, seconds: (performance.now() - began) / 1_000, cpu: cpuSeconds(child.pid), load });
  };
  mark('npm');
  let output = '';
  let url = null;
  child.stdout.setEncoding('utf8').on('data', (text) => {
    output += text;
    for (const [phase, pattern] of PHASES) {
      const match = pattern.exec(output);
      if (!match || marks.some((each) => each.phase === phase)) continue;
      mark(phase);
      url = match[1] ?? url;
    }
    // The build's own line ends with how long it took; what follows is the server.
    if (/▸ Building .*\d s\n/.test(output) && !marks.some(({ phase }) => phase === 'server')) mark('server');
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const failed = ended.then((code) => Promise.reject(new Error(`npm start ended with code ${code}:\n${output}`)));
  await Promise.race([failed, firstStep(() => url, since)]);
  mark('first step');
  failed.catch(() => {}); // it ends by the signal below
  process.kill(-child.pid, 'SIGINT');
  await ended;
  return marks;
}

/** Resolves once a run that began since then has a step; those of a start before are in the same database. */
async function firstStep(url, since) {
  const input = encodeURIComponent(JSON.stringify({ json: { limit: 3 } }));
  for (;;) {
    const response = url() && (await fetch(`${url()}/api/trpc/run.list?input=${input}`));
    const runs = response ? (await response.json()).result.data.json.runs : [];
    if (runs.some(({ startedAt, lastStep }) => Date.parse(startedAt) >= since && lastStep !== null)) return;
    await delay(POLL_MS);
  }
}

function print(start, marks) {
  const cells = (phase, seconds, cpu, load) =>
    `${start.padEnd(8)}${phase.padEnd(14)}${seconds.toFixed(1).padStart(8)}${cpu.toFixed(1).padStart(9)}${load.toFixed(1).padStart(7)}`;
  for (const [at, { phase, seconds, cpu, load }] of marks.slice(0, -1).entries()) {
    const next = marks[at + 1];
    const name = phase === 'npm' && next.phase === 'trainers' ? 'server' : phase; // nothing to install or to build
    console.log(cells(name, next.seconds - seconds, next.cpu - cpu, load));
  }
  const { seconds, cpu, load } = marks.at(-1);
  console.log(cells('in all', seconds, cpu, load));
}

/** Of a process and all below it, those that have ended included. */
function cpuSeconds(pid) {
  const processes = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap(readProcess);
  const below = (parent) =>
    processes.filter((each) => each.parent === parent).flatMap((each) => [each, ...below(each.id)]);
  const own = processes.filter(({ id }) => id === pid);
  return [...own, ...below(pid)].reduce((sum, { ticks }) => sum + ticks, 0) / TICKS_PER_SECOND;
}

/** See proc_pid_stat(5): after the name come state, parent, …, and from the 12th on user and system time, then of children. */
function readProcess(id) {
  try {
    const text = readFileSync(`/proc/${id}/stat`, 'utf8');
    const fields = text
      .slice(text.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    return [{ id: Number(id), parent: fields[1], ticks: fields[11] + fields[12] + fields[13] + fields[14] }];
  } catch {
    return []; // it has ended meanwhile
  }
}

async function freePort() {
  const probe = createServer();
  await new Promise((resolve) => probe.listen(0, '127.0.0.1', resolve));
  const { port } = probe.address();
  await new Promise((resolve) => probe.close(resolve));
  return port;
}
