import { readable } from '../readable.ts';
import type { Signals } from '../signals.ts';
import { type Assessment, CALM, positive, type StepObserver, stepRule, steps } from './rule.ts';

/** In the first steps of an attempt that begins without the state of its optimizer every update is large. */
const FIRST_STEPS = 14;

interface State {
  /** The first step of the attempt with a share. */
  first: number | null;
  /** The first of the steps since which the share has been above the limit; null where the last was not. */
  since: number | null;
}

interface Limits {
  share: number;
  lastingSteps: number;
}

/**
 * Updates are too large for the weights: the L2 norm of the update over that of the weights is above 7.5 % for 3 steps.
 * Only from the fifteenth step of an attempt on. The limit is our own, of runs made to record the share: it found
 * warm-ups that were too high 41 to 152 steps before their onset, SGD at its edge 3 to 43 steps before.
 */
class UpdateTooLarge implements StepObserver {
  readonly #limits: Limits;
  readonly #state: State;

  constructor(limits: Limits, state: State = { first: null, since: null }) {
    this.#limits = limits;
    this.#state = { ...state };
  }

  state(): State {
    return { ...this.#state };
  }

  observe({ step, updateShare }: Signals): Assessment | null {
    this.#rewind(step);
    if (updateShare == null || Number.isNaN(updateShare)) return null;
    const { share, lastingSteps } = this.#limits;
    const state = this.#state;
    state.first ??= step;
    if (step - state.first < FIRST_STEPS || updateShare <= share) {
      state.since = null;
      return updateShare > share / 2 ? { ...CALM, level: 'uneasy' } : CALM;
    }
    const since = state.since ?? step;
    state.since = since;
    const explain = () => ({
      message: `updates are ${readable(100 * updateShare, 2)} % of the weights, above ${readable(100 * share, 2)} % since step ${since}`,
      evidence: { since, ...(Number.isFinite(updateShare) && { updateShare }) },
      from: since,
      risk: null,
      divergenceStep: null,
    });
    return { level: step - since + 1 >= lastingSteps ? 'warning' : 'uneasy', explain };
  }

  newAttempt(): void {
    this.#state.first = null;
  }

  /** Forgets a step and all after it. */
  #rewind(step: number): void {
    const state = this.#state;
    if (state.first !== null && state.first >= step) state.first = null;
    if (state.since !== null && state.since >= step) state.since = null;
  }
}

export const updateTooLarge = stepRule({
  name: 'update-too-large',
  title: 'Update too large',
  what: 'The optimizer changes too much of the weights in a step, for several steps: the learning rate is too high for them.',
  formula:
    'warning: ‖update‖ ÷ ‖weights‖ > limit for 3 steps, from the fifteenth step of an attempt on; calm below half of the limit',
  source: 'our own, of runs made to record the share',
  settings: {
    share: positive(0.075, 'Warning above', 'share of the weights'),
    lastingSteps: steps(3, 'Warning once above for'),
  },
  ascending: [],
  evidence: {
    updateShare: ['update over weights', 'number'],
    since: ['since step', 'count'],
  },
  isAnswered: true,
  marks: 'updateShare',
  create: (settings, state) => new UpdateTooLarge(settings, state as State | undefined),
});
