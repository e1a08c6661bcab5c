/** What is read of a step; a protocol step event is one. TEV alone is enough to be judged by. */
export interface Signals {
  step: number;
  /** When the step ended, in milliseconds since 1970. */
  time?: number | null | undefined;
  loss?: number | null | undefined;
  tevMean?: number | null | undefined;
  tevStd?: number | null | undefined;
  gradVar?: number | null | undefined;
  gradNorm?: number | null | undefined;
  lr?: number | null | undefined;
}

export type SignalName = Exclude<keyof Signals, 'step' | 'time'>;

/** Each is a scalar of the protocol's table of step fields, as the tests of the database check. */
const SIGNALS: Record<SignalName, null> = {
  loss: null,
  tevMean: null,
  tevStd: null,
  gradVar: null,
  gradNorm: null,
  lr: null,
};
export const SIGNAL_NAMES = Object.keys(SIGNALS) as SignalName[];
