import { readable } from '../readable.ts';
import type { Signals } from '../signals.ts';
import { type Assessment, type ClockObserver, clockRule, positive } from './rule.ts';

const WAITS = 64;
/** Fewer waits are too few to estimate the next. */
const MIN_WAITS = 4;

interface State {
  step: number | null;
  /** When the newest step ended, in milliseconds since 1970. */
  time: number | null;
  /** The waits between the last steps, in milliseconds, the newest last. */
  waits: number[];
}

interface Limits {
  warningTimes: number;
  criticalTimes: number;
  warningSeconds: number;
  criticalSeconds: number;
}

/**
 * No step has come for longer than the longest of the last 64 waits, several times over: an evaluation or a checkpoint
 * that comes again and again is among them. Knows no clock; it is asked with the time.
 */
class Stalled implements ClockObserver {
  readonly #limits: Limits;
  readonly #state: State;

  constructor(limits: Limits, state: State = { step: null, time: null, waits: [] }) {
    this.#limits = limits;
    this.#state = { ...state, waits: [...state.waits] };
  }

  state(): State {
    return { ...this.#state, waits: [...this.#state.waits] };
  }

  /** A step has come: whatever its time, the run is not stalled. */
  observe({ step, time }: Signals): void {
    const { time: before, waits } = this.#state;
    this.#state.step = step;
    if (time == null || !Number.isFinite(time)) return;
    if (before !== null && time > before) waits.push(time - before);
    if (waits.length > WAITS) waits.shift();
    this.#state.time = time;
  }

  /** What to think of a run from which nothing has come until now. */
  elapse(now: number): { step: number; assessment: Assessment } | null {
    const { step, time, waits } = this.#state;
    if (step === null || time === null || waits.length < MIN_WAITS) return null;
    const longest = Math.max(...waits);
    const silence = now - time;
    const { warningTimes, criticalTimes, warningSeconds, criticalSeconds } = this.#limits;
    const isCritical = silence > Math.max(criticalTimes * longest, 1e3 * criticalSeconds);
    const isWarning = silence > Math.max(warningTimes * longest, 1e3 * warningSeconds);
    const explain = () => ({
      message: `no step for ${readable(silence / 1e3, 3)} s; the longest of the last ${waits.length} waits was ${readable(longest / 1e3, 3)} s`,
      evidence: { silentSeconds: silence / 1e3, longestWaitSeconds: longest / 1e3 },
      from: step,
      risk: null,
      divergenceStep: null,
    });
    return { step, assessment: { level: isCritical ? 'critical' : isWarning ? 'warning' : 'uneasy', explain } };
  }
}

const TIMES = 'times the longest wait';

export const stalled = clockRule({
  name: 'stalled',
  title: 'Stalled',
  what: 'No step has come for far longer than the longest wait before. Resolves with the next step; no policy acts on it.',
  formula: 'silence > times · longest of the last 64 waits, and > seconds',
  source: 'our own; by the server’s clock',
  settings: {
    warningTimes: positive(5, 'Warning after', TIMES),
    warningSeconds: positive(60, 'Warning not before', 'seconds'),
    criticalTimes: positive(20, 'Critical after', TIMES),
    criticalSeconds: positive(600, 'Critical not before', 'seconds'),
  },
  ascending: [
    ['warningTimes', 'criticalTimes'],
    ['warningSeconds', 'criticalSeconds'],
  ],
  evidence: {
    silentSeconds: ['silent for', 'seconds'],
    longestWaitSeconds: ['longest wait before', 'seconds'],
  },
  // a trainer that does not answer cannot obey, and may only be slow
  isAnswered: false,
  marks: 'loss',
  create: (settings, state) => new Stalled(settings, state as State | undefined),
});
