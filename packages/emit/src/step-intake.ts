import {
  ARRAY_FIELDS,
  DROP_REASONS,
  type DropCount,
  MAX_CUSTOM_SCALARS,
  MAX_LAYERS,
  STEP_FIELDS,
  type StepContext,
  type StepEvent,
  storableText,
  takeStep,
} from '@evenkeel/protocol';
import type { Warn } from './warn.ts';

/** A value that throws when it is read: a getter or a proxy. */
const UNREADABLE = 'cannot be read';
const WORDS: Readonly<Record<string, string>> = { ...DROP_REASONS, [UNREADABLE]: 'it throws when it is read' };

/** A value that is left out: its field and why. */
type Dropped = [field: string, reason: string];

/** Checks each logged step: drops the values that a server would drop, and counts them. */
export class StepIntake {
  readonly #context: StepContext;
  readonly #drops: DropCount;
  readonly #warn: Warn;
  readonly #customNames = new Set<string>();

  constructor(layers: number, drops: DropCount, warn: Warn) {
    this.#context = { layers, now: Date.now };
    this.#drops = drops;
    this.#warn = warn;
  }

  /**
   * A copy of the step without the values that are wrong, which are counted and warned of; null where it has no step
   * number. Never throws.
   */
  take(input: unknown): StepEvent | null {
    const dropped: Dropped[] = [];
    const step = this.#takeAny(input, dropped);
    if (step?.custom) this.#keepWithinNames(step, step.custom, dropped);
    for (const [field, reason] of dropped) this.#report(field, reason, step !== null);
    return step;
  }

  #takeAny(input: unknown, dropped: Dropped[]): StepEvent | null {
    try {
      return takeStep(input, this.#context, (...each) => dropped.push(each));
    } catch {
      dropped.length = 0; // it is read once more, one value at a time
      return this.#takeReadable(input, dropped);
    }
  }

  #takeReadable(input: unknown, dropped: Dropped[]): StepEvent | null {
    try {
      const copy = readableCopy(input, (field) => dropped.push([field, UNREADABLE]));
      return copy && takeStep(copy, this.#context, (...each) => dropped.push(each));
    } catch {
      dropped.push(['step', UNREADABLE]);
      return null;
    }
  }

  /** Leaves out the scalars whose names are more than a run may have. */
  #keepWithinNames(step: StepEvent, custom: Record<string, number>, dropped: Dropped[]): void {
    for (const name in custom) {
      if (this.#customNames.has(name)) continue;
      if (this.#customNames.size < MAX_CUSTOM_SCALARS) this.#customNames.add(name);
      else {
        delete custom[name];
        dropped.push([customField(name), 'too many names']);
      }
    }
    if (isEmpty(custom)) delete step.custom;
  }

  #report(field: string, reason: string, isKept: boolean): void {
    this.#drops.add(field, reason);
    const what = isKept ? 'a value was left out' : 'a step was dropped';
    const hint = this.#context.layers === 0 && field.startsWith('layer') ? ': startRun was given no layers' : '';
    const kind = `${isKept ? 'value: ' : ''}${reason === 'too many names' ? reason : `${reason} ${field}`}`;
    this.#warn(`${what}: ${field}: ${WORDS[reason] ?? reason}${hint}`, kind);
  }
}

/** Short enough to be counted by. */
function customField(name: string): string {
  return `custom.${storableText(name, 200)}`;
}

function isEmpty(custom: Record<string, number>): boolean {
  for (const _ in custom) return false;
  return true;
}

const SINGLE_FIELDS = ['time', ...STEP_FIELDS.filter(({ kind }) => kind !== 'array').map(({ name }) => name)];

/** What can be read of a step, field by field; null where that does not include its number. */
function readableCopy(input: unknown, unreadable: (field: string) => void): Record<string, unknown> | null {
  const given = input as Record<string, unknown>;
  const copy: Record<string, unknown> = {};
  const read = (field: string, value: () => unknown) => {
    try {
      copy[field] = value();
    } catch {
      unreadable(field);
    }
  };
  read('step', () => given.step);
  if (!('step' in copy)) return null;
  for (const name of SINGLE_FIELDS) read(name, () => given[name]);
  for (const { name } of ARRAY_FIELDS) read(name, () => copyOfArray(given[name]));
  read('custom', () => copyOfScalars(given.custom, unreadable));
  return copy;
}

/** An array that is longer than any may be is not walked: it is refused for its length. */
function copyOfArray(value: unknown): unknown {
  const isArray = Array.isArray(value) || ArrayBuffer.isView(value);
  return isArray && 'length' in value && Number(value.length) <= MAX_LAYERS ? Array.from(value) : value;
}

function copyOfScalars(value: unknown, unreadable: (field: string) => void): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    try {
      copy[name] = (value as Record<string, unknown>)[name];
    } catch {
      unreadable(customField(name));
    }
  }
  return copy;
}
