import { type Database, listCustomNames, type RunDetail, readStoredSteps, type StoredStep } from '@evenkeel/db';
import { MAX_CUSTOM_SCALARS, type RecordedStep, STEP_FIELDS, writeRecordedLine } from '@evenkeel/protocol';
import { reads } from '../turns.ts';

const FIELD_NAMES = STEP_FIELDS.map(({ name }) => name);

/**
 * Writes a run as a recording, which `evenkeel import` reads: each attempt with every step that it stored, also what a
 * later one superseded, in pieces of whole lines. Steps that a person has removed are left out.
 * @param only the one attempt to write; all where it is undefined.
 */
export async function* writeRecording(db: Database, run: RunDetail, only?: number): AsyncGenerator<string> {
  for (const attempt of run.attempts) {
    if (only !== undefined && attempt.number !== only) continue;
    yield startLine(run, attempt);
    yield* stepLines(db, run.id, attempt);
    if (attempt.status !== null) yield finishLine(run, attempt);
  }
}

type Attempt = RunDetail['attempts'][number];

function startLine(
  { id, project, name, config, owner, tags, notes, layers }: RunDetail,
  { number, startedAt }: Attempt,
): string {
  const described = { project, name, config, owner, tags, notes, layers };
  return line({ type: 'run', id, attempt: number, startedAt: startedAt.getTime(), ...described });
}

async function* stepLines(db: Database, run: string, { number, removed }: Attempt): AsyncGenerator<string> {
  const names = await reads(() => listCustomNames(db, { run, limit: MAX_CUSTOM_SCALARS }));
  const columns = [...FIELD_NAMES.map((field) => ({ field })), ...names.map((custom) => ({ custom }))];
  const chunks = readStoredSteps(db, { run, attempt: number, columns });
  const left = new Set(removed);
  for (let next = await reads(() => chunks.next()); !next.done; next = await reads(() => chunks.next())) {
    const kept = next.value.filter(({ step }) => !left.has(step));
    yield kept.map((step) => line(recordedStep(step, names))).join('');
  }
}

function recordedStep({ step, time, values }: StoredStep, names: readonly string[]): RecordedStep {
  const fields = FIELD_NAMES.map((name, at) => [name, values[at] ?? null] as const);
  const custom = names.map((name, at) => [name, values[FIELD_NAMES.length + at] ?? null] as const);
  const carried = custom.filter(([, value]) => value !== null);
  return {
    type: 'step',
    step,
    time,
    ...Object.fromEntries(fields.filter(([, value]) => value !== null)),
    ...(carried.length > 0 ? { custom: Object.fromEntries(carried) as Record<string, number> } : {}),
  };
}

/** The reason is that of the run's end, so that of its last attempt. */
function finishLine({ reason, attempts }: RunDetail, attempt: Attempt): string {
  const isLast = attempt === attempts.at(-1);
  const { status, endedAt } = attempt;
  if (status === null) throw new Error(`attempt ${attempt.number} has not ended`);
  return line({ type: 'finish', status, reason: isLast ? reason : null, endedAt: endedAt?.getTime() ?? null });
}

function line(recorded: Parameters<typeof writeRecordedLine>[0]): string {
  return `${writeRecordedLine(recorded)}\n`;
}
