import { printable } from '@evenkeel/protocol';
import { counted } from '../counted.ts';
import type { RunsRequest } from './runs.ts';
import type { ScannedRun } from './scan.ts';

/** Names that are listed of a run. */
const MAX_NAMES = 20;

/** Prints a run that was read or imported, with what its names became and what could not be brought. */
export function printRun(scanned: ScannedRun, { isNew, json }: { isNew: boolean; json: boolean | undefined }): void {
  if (json) printJson(scanned);
  else for (const line of linesOf(scanned, isNew)) console.log(printable(line));
}

function printJson({ source, run, project, name, attempts, fields, names, losses }: ScannedRun): void {
  for (const { number: attempt, status, steps, firstStep, lastStep } of attempts) {
    const facts = { run, attempt, project, name, status, steps, firstStep, lastStep };
    const { format, source: file } = source;
    console.log(JSON.stringify({ ...facts, file, format, fields, names: [...names], notImported: losses }));
  }
}

function* linesOf(scanned: ScannedRun, isNew: boolean): Generator<string> {
  const { source, run, project, name, attempts, losses } = scanned;
  const known = isNew ? '' : ', already there';
  if (attempts.length === 0) yield `${project} / ${name}: no steps in ${source.source} (${source.format}${known})`;
  for (const { number, steps, firstStep, lastStep, status } of attempts) {
    const which = attempts.length === 1 ? run : `${run}, attempt ${number}`;
    yield `${project} / ${name}: ${counted(steps, 'steps')}, ${firstStep} to ${lastStep}, ${status} (${which}, ${source.format}${known})`;
  }
  if (attempts.length > 0) yield `  names: ${namesOf(scanned)}`;
  for (const { count, what, reason } of losses) yield `  not imported: ${counted(count, what)}: ${reason}`;
}

/** Those that become fields first: `train/loss → loss, learning_rate → lr, epoch and 3 more`. */
function namesOf({ fields, names }: ScannedRun): string {
  const mapped = Object.entries(fields).map(([field, name]) => (name === field ? name : `${name} → ${field}`));
  const fieldNames = new Set<string>(Object.values(fields));
  const others = [...names].filter((name) => !fieldNames.has(name));
  const all = [...mapped, ...others];
  const more = all.length - MAX_NAMES;
  return more > 0 ? `${all.slice(0, MAX_NAMES).join(', ')} and ${more} more` : all.join(', ');
}

/** The last line of an import. */
export function summaryOf({ runs, steps }: { runs: number; steps: number }, { server, dryRun }: RunsRequest): string {
  if (dryRun) return `${counted(runs, 'runs')} with ${counted(steps, 'steps')} can be imported; nothing was sent.`;
  return `${counted(runs, 'runs')} ${runs === 1 ? 'is' : 'are'} on ${server}; ${counted(steps, 'steps')} ${steps === 1 ? 'was' : 'were'} sent.`;
}
