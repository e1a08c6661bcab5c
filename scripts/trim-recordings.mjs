// Keeps what `evenkeel bench forecast` needs of every n-th recording, of a study or of packages/python/bench/forecast_runs:
//   node scripts/trim-recordings.mjs study/forecast-runs apps/cli/recordings 4
//   node scripts/trim-recordings.mjs study/forecast-kinds apps/cli/recordings-by-kind/trainer 10
//   node scripts/trim-recordings.mjs study/forecast-torch apps/cli/recordings-by-kind/pytorch 10
// Every n-th in the order of their names, whatever became of it, so that nobody chooses. Numbers keep seven digits, about
// what the float32 they come from holds. A run of more than 2,000 steps is kept as if it had been logged less often.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';

const [from, to, every] = process.argv.slice(2);
const SCALARS = ['step', 'loss', 'tevMean', 'tevStd', 'gradVar', 'gradNorm', 'lr', 'lrAhead'].concat(
  ['updateShare', 'updateRms', 'attentionLogitMax'], // of recordings that have them
);
const MAX_STEPS = 2_000;
/** Steps between two that are logged, as people choose them. */
const INTERVALS = [1, 10, 50, 100];

rmSync(to, { recursive: true, force: true });
mkdirSync(to, { recursive: true });
const files = recordings();
for (let at = 0; at < files.length; at += Number(every)) {
  const name = String(at + 1).padStart(String(files.length).length, '0'); // a run's own is too long for some file systems
  writeFileSync(`${to}/${name}.jsonl.gz`, gzipSync(`${trimmed(linesOf(files[at])).join('\n')}\n`, { level: 9 }));
}

function recordings() {
  const study = `${from}/runs`;
  if (existsSync(study))
    return readdirSync(study, 'utf8')
      .sort()
      .map((run) => `${study}/${run}/run.jsonl`);
  return readdirSync(from)
    .filter((file) => file.endsWith('.jsonl.gz'))
    .sort()
    .map((file) => `${from}/${file}`);
}

function linesOf(file) {
  const bytes = readFileSync(file);
  const text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString().trim();
  return text.split('\n').map((line) => JSON.parse(line));
}

/** A recording's lines, as JSON; the last step is kept, since a run that failed shows it there. */
function trimmed(lines) {
  const steps = lines.filter(({ type }) => type === 'step');
  const interval = INTERVALS.find((each) => steps.length <= each * MAX_STEPS) ?? INTERVALS.at(-1);
  const isKept = ({ type, step }) => type !== 'step' || step % interval === 0 || step === steps.at(-1).step;
  return lines.filter(isKept).map((line) => JSON.stringify(line.type === 'step' ? trimmedStep(line) : line));
}

function trimmedStep({ type, ...fields }) {
  const kept = SCALARS.filter((name) => name in fields).map((name) => [name, rounded(fields[name])]);
  return { type, ...Object.fromEntries(kept) };
}

/** What is not finite is text. */
function rounded(value) {
  return typeof value === 'number' ? Number(value.toPrecision(7)) : value;
}
