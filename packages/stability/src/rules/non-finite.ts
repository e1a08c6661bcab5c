import { readable } from '../readable.ts';
import type { SignalName, Signals } from '../signals.ts';
import { type Assessment, CALM, type Explanation, type StepObserver, stepRule } from './rule.ts';

/** A run that has a NaN or an infinity in one of these does not come back from it. */
export const VITAL_FIELDS = ['loss', 'tevMean', 'gradVar', 'gradNorm'] as const satisfies readonly SignalName[];
type Field = (typeof VITAL_FIELDS)[number];

/** The newest finite value of each field, and its step. */
type State = Partial<Record<Field, [step: number, value: number]>>;

/** Loss, TEV, gradient variance or gradient norm is NaN or infinite. Always critical: training does not come back from it. */
class NonFinite implements StepObserver {
  readonly #known: State;

  constructor(state: State = {}) {
    this.#known = { ...state };
  }

  state(): State {
    return { ...this.#known };
  }

  observe(signals: Signals): Assessment | null {
    const { step } = signals;
    const broken: Field[] = [];
    let present = false;
    for (const field of VITAL_FIELDS) {
      if ((this.#known[field]?.[0] ?? Number.NEGATIVE_INFINITY) >= step) delete this.#known[field];
      const value = signals[field];
      if (value == null) continue;
      present = true;
      if (Number.isFinite(value)) this.#known[field] = [step, value];
      else broken.push(field);
    }
    if (!present) return null;
    return broken.length === 0 ? CALM : this.#critical(signals, broken);
  }

  observeLate(part: Signals): Assessment | null {
    const broken = VITAL_FIELDS.filter((field) => part[field] != null && !Number.isFinite(part[field]));
    return broken.length === 0 ? null : this.#critical(part, broken);
  }

  #critical(signals: Signals, broken: readonly Field[]): Assessment {
    const known = broken.flatMap((field) => {
      const last = this.#known[field];
      return last && last[0] < signals.step ? [[field, ...last] as const] : [];
    });
    return { level: 'critical', explain: () => explain(signals, broken, known) };
  }
}

function explain(
  signals: Signals,
  broken: readonly Field[],
  known: readonly (readonly [Field, number, number])[],
): Explanation {
  const values = broken.map((field) => `${field} is ${signals[field]}`).join(', ');
  const before = known.map(([field, , value]) => `${field} ${readable(value)}`).join(', ');
  return {
    message: before ? `${values}; last finite: ${before}` : values,
    evidence: Object.fromEntries(known.map(([field, , value]) => [field, value])),
    from: Math.min(signals.step, ...known.map(([, step]) => step)),
    risk: null,
    divergenceStep: null,
  };
}

export const nonFinite = stepRule(
  {
    name: 'non-finite',
    title: 'Non-finite values',
    what: 'Loss, TEV, gradient variance or gradient norm is NaN or infinite. Always critical.',
    formula: 'value ∉ ℝ',
    source: 'what every trainer checks',
    settings: {},
    ascending: [],
    evidence: {
      loss: ['loss', 'number'],
      tevMean: ['TEV', 'number'],
      gradVar: ['gradient variance', 'number'],
      gradNorm: ['gradient norm', 'number'],
    },
    isAnswered: true,
    marks: 'loss',
    create: (_settings, state) => new NonFinite(state as State | undefined),
  },
  64,
);
