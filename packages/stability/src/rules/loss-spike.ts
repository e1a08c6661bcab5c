import { readable } from '../readable.ts';
import type { Signals } from '../signals.ts';
import { CALM, type Reading, type Rule } from './rule.ts';
import type { RuleSettings } from './settings.ts';
import { isFiniteNumber, median, spread, Window, type WindowState } from './window.ts';

const WINDOW = 128;
/** Fewer losses than this tell no standard deviation to be judged by. */
const LEAST_LOSSES = 64;
/** Float32 resolves no finer, relative to the mean: a loss that stands still has no smaller sigma. */
const RESOLUTION = 2 ** -23;
/** A level is the median of so many losses: one spike does not make it. */
const LEVEL = 9;
/** A rise that is smaller, in nats, is no loss of what was learnt. */
const LEAST_LOST = 0.4;

interface State {
  window: WindowState;
  /** The first level and the lowest. */
  first: number | null;
  best: number | null;
  /** Since which step more than the share is lost. */
  lostSince: number | null;
}

/**
 * Warning: the loss is more than six standard deviations above the mean of the 128 before (the rule by which OLMo-core's
 * SkipStepOptimizer passes over an update, with its defaults). It sees a spike when it is there, also one that passes.
 *
 * Critical: the median of the last 9 losses has for 40 steps been above the lowest such median by more than half of what
 * had been learnt, and by 0.4 at least. This is what the labels of the recorded runs call divergence: a fact, no forecast.
 */
export class LossSpike implements Rule<State> {
  readonly #limits: RuleSettings['loss-spike'];
  readonly #window: Window;
  #first: number | null = null;
  #best: number | null = null;
  #lostSince: number | null = null;

  constructor(limits: RuleSettings['loss-spike'], state?: State) {
    this.#limits = limits;
    this.#window = new Window(WINDOW + 1, state?.window);
    if (!state) return;
    this.#first = state.first;
    this.#best = state.best;
    this.#lostSince = state.lostSince;
  }

  state(): State {
    return { window: this.#window.state(), first: this.#first, best: this.#best, lostSince: this.#lostSince };
  }

  observe({ step, loss }: Signals): Reading | null {
    this.#rewind(step);
    if (!isFiniteNumber(loss)) return null;
    this.#window.add(step, loss);
    return this.#lost(step) ?? this.#spike(loss) ?? CALM;
  }

  #rewind(step: number): void {
    this.#window.rewind(step);
    if (this.#lostSince !== null && this.#lostSince >= step) this.#lostSince = null;
    if (this.#window.values.length > 0) return;
    this.#first = null;
    this.#best = null;
  }

  #lost(step: number): Reading | null {
    const { values } = this.#window;
    if (values.length < LEVEL) return null;
    const level = median(values.slice(-LEVEL));
    this.#first ??= level;
    this.#best = Math.min(this.#best ?? level, level);
    const [first, best] = [this.#first, this.#best];
    const { lostShare, lostSteps } = this.#limits;
    if (level - best <= Math.max(lostShare * (first - best), LEAST_LOST)) {
      this.#lostSince = null;
      return null;
    }
    const from = this.#lostSince ?? step;
    this.#lostSince = from;
    const explain = () => ({
      message: `loss rose from ${readable(best)} to ${readable(level)} and stays there since step ${from}: the run has diverged`,
      evidence: { level, best, first, since: from },
      from,
      risk: null,
      divergenceStep: from,
    });
    return { level: step - from >= lostSteps ? 'critical' : 'uneasy', explain };
  }

  #spike(loss: number): Reading | null {
    const { values } = this.#window;
    const losses = values.length - 1;
    if (losses < LEAST_LOSSES) return null;
    const before = spread(values, 0, losses);
    const { mean } = before;
    const std = Math.max(before.std, RESOLUTION * Math.abs(mean));
    const { sigmas } = this.#limits;
    if (!(loss > mean + sigmas * std)) return null;
    const from = this.#window.firstStep ?? 0;
    const explain = () => ({
      message: `loss rose to ${readable(loss)}, more than ${sigmas} sigma above ${readable(mean)}, its mean over the ${losses} steps before`,
      evidence: { loss, mean, std, losses },
      from,
      risk: null,
      divergenceStep: null,
    });
    return { level: 'warning', explain };
  }
}
