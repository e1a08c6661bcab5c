import type { Action } from '@evenkeel/protocol';

interface CommandWords {
  /** What is on the button that asks. */
  verb: string;
  question: (run: string) => string;
  consequence: string;
  confirm: string;
  /** In a history. */
  noun: string;
}

export const COMMAND_WORDS: Record<Action['kind'], CommandWords> = {
  stop: {
    verb: 'Stop…',
    question: (run) => `Stop ${run}?`,
    consequence:
      'The trainer stops after the current step and saves a checkpoint first if it can. Everything it has sent is kept.',
    confirm: 'Stop the run',
    noun: 'Stop',
  },
  checkpoint: {
    verb: 'Checkpoint…',
    question: (run) => `Save a checkpoint of ${run}?`,
    consequence: 'The trainer saves a checkpoint before its next step, then continues.',
    confirm: 'Save a checkpoint',
    noun: 'Checkpoint',
  },
  'reduce-lr': {
    verb: 'Reduce learning rate…',
    question: (run) => `Reduce the learning rate of ${run}?`,
    consequence:
      'From its next step on, and for the rest of the run, the trainer multiplies its learning rate by the factor. It saves a checkpoint first if it can.',
    confirm: 'Reduce the learning rate',
    noun: 'Reduce learning rate',
  },
};

export function nameOf({ kind, factor }: { kind: Action['kind']; factor: number | null }): string {
  return factor === null ? COMMAND_WORDS[kind].noun : `${COMMAND_WORDS[kind].noun} × ${factor}`;
}
