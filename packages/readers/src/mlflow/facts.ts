import type { EndStatus } from '@evenkeel/protocol';
import type { Found, RunFacts } from '../format.ts';
import { numberIn } from '../python-json.ts';

/** Texts by name: parameters or tags. */
export type Texts = ReadonlyMap<string, string>;

/** MLflow keeps texts alone; those that are exact numbers become numbers, so that runs can be compared by them. */
export function configOf(params: Texts): Record<string, unknown> {
  return Object.fromEntries([...params].map(([key, text]) => [key, exactNumber(text) ?? text]));
}

function exactNumber(text: string): number | null {
  const number = numberIn(text);
  return number === null || Number.isNaN(number) || (Number.isInteger(number) && !Number.isSafeInteger(number))
    ? null
    : number;
}

/** `mlflow.…` are MLflow's own: of them only the description and the parent of a nested run are kept. */
export function factsOf(tags: Texts): RunFacts {
  const facts: RunFacts = {};
  const own = [...tags].filter(([key]) => !key.startsWith('mlflow.'));
  if (own.length > 0) facts.tags = own.map(([key, value]) => (value === '' ? key : `${key}=${value}`));
  const notes = tags.get('mlflow.note.content');
  if (notes) facts.notes = notes;
  const parent = tags.get('mlflow.parentRunId');
  if (parent) facts.config = { 'mlflow.parentRunId': parent };
  return facts;
}

const STATUSES = new Map<string, EndStatus>([
  ['FINISHED', 'finished'],
  ['FAILED', 'failed'],
  ['KILLED', 'stopped'],
]);
/** What a file store has in place of the word. */
const NUMBERS = ['', 'RUNNING', 'SCHEDULED', 'FINISHED', 'FAILED', 'KILLED'];

/** A run that is said to be running may still be, or was killed. */
export function endOf(status: string | number, endedAt: number | null): Found {
  const word = typeof status === 'number' ? (NUMBERS[status] ?? '') : status;
  const end = STATUSES.get(word);
  if (end) return { kind: 'end', status: end, reason: word === 'KILLED' ? 'killed' : null, endedAt };
  return { kind: 'end', status: 'stopped', reason: 'it was running when it was read', endedAt };
}
