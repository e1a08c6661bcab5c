// Keeps of a study's recordings what `evenkeel bench forecast` needs, of every fourth run, for apps/cli/recordings:
//   node scripts/trim-recordings.mjs study/forecast-runs apps/cli/recordings
// Every fourth in the order of their names, whatever became of it, so that nobody chooses. Numbers keep seven digits, about
// what the float32 they come from holds.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';

const [from, to] = process.argv.slice(2);
const SCALARS = ['step', 'loss', 'tevMean', 'tevStd', 'gradVar', 'gradNorm', 'lr'];

rmSync(to, { recursive: true, force: true });
mkdirSync(to, { recursive: true });
const runs = readdirSync(`${from}/runs`).sort();
for (let at = 0; at < runs.length; at += 4) {
  const lines = readFileSync(`${from}/runs/${runs[at]}/run.jsonl`, 'utf8').trim().split('\n').map(trimmed);
  const name = String(at + 1).padStart(2, '0'); // the run's own is in it, and too long for some file systems
  writeFileSync(`${to}/${name}.jsonl.gz`, gzipSync(`${lines.join('\n')}\n`, { level: 9 }));
}

function trimmed(line) {
  const { type, ...fields } = JSON.parse(line);
  if (type !== 'step') return line;
  const kept = SCALARS.filter((name) => name in fields).map((name) => [name, rounded(fields[name])]);
  return JSON.stringify({ type, ...Object.fromEntries(kept) });
}

/** What is not finite is text. */
function rounded(value) {
  return typeof value === 'number' ? Number(value.toPrecision(7)) : value;
}
