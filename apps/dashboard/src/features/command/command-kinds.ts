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
      'The trainer ends after the step it is in, and keeps its state first if it can. Everything it has sent stays.',
    confirm: 'Stop the run',
    noun: 'Stop',
  },
  checkpoint: {
    verb: 'Checkpoint…',
    question: (run) => `Keep the state of ${run}?`,
    consequence: 'The trainer writes a checkpoint before its next step, and goes on.',
    confirm: 'Keep a checkpoint',
    noun: 'Checkpoint',
  },
  'reduce-lr': {
    verb: 'Reduce rate…',
    question: (run) => `Reduce the learning rate of ${run}?`,
    consequence:
      'From its next step on, and for the rest of the run, the trainer multiplies its learning rate by the factor. It keeps its state first if it can.',
    confirm: 'Reduce the rate',
    noun: 'Reduce rate',
  },
};

export function nameOf({ kind, factor }: { kind: Action['kind']; factor: number | null }): string {
  return factor === null ? COMMAND_WORDS[kind].noun : `${COMMAND_WORDS[kind].noun} × ${factor}`;
}
