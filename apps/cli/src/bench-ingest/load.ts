import { CHARTED_FIELDS, type StepEvent } from '@evenkeel/protocol';

/** The scalars that a load sends under their own names: those that every run has a chart of. */
export const LOAD_FIELDS = CHARTED_FIELDS.filter(({ charted }) => charted === 'always').map(({ name }) => name);

/** What the emitters of a bench send. */
export interface Load {
  emitters: number;
  /** Steps a second of each emitter; 0 is as many as acknowledgements allow. */
  rate: number;
  /** Steps that an emitter logs at once. */
  batch: number;
  /** Scalars of a step: those of {@link LOAD_FIELDS} first, custom scalars after them. */
  scalars: number;
}

/** Writes the steps of a load; a custom scalar has the same name in every step. */
export function stepsOf({ scalars }: Pick<Load, 'scalars'>): (step: number) => StepEvent {
  const fields = LOAD_FIELDS.slice(0, scalars);
  const names = Array.from({ length: scalars - fields.length }, (_, at) => `layers.${at}/grad_norm`);
  return (step) => {
    const noise = ((step * 7_919) % 997) / 9_970;
    const event: StepEvent = { step, time: Date.now() };
    for (const [at, name] of fields.entries()) event[name] = 1 + at / 10 + noise;
    if (names.length > 0) event.custom = Object.fromEntries(names.map((name, at) => [name, at + noise]));
    return event;
  };
}
