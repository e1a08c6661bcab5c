import { readable } from '../readable.ts';
import type { Signals } from '../signals.ts';
import { spread } from '../statistics.ts';
import { LossLevel, type LossLevelState, levelOf } from './loss-level.ts';
import { type Assessment, CALM, positive, type StepObserver, stepRule, steps } from './rule.ts';
import { Swings, type SwingsState } from './swings.ts';
import { isFiniteNumber, Window, type WindowState } from './window.ts';

const WINDOW = 128;
/** Fewer losses give no standard deviation to judge by. */
const MIN_LOSSES = 64;
/** Float32 resolves no finer, relative to the mean: a loss that stands still has no smaller sigma. */
const RESOLUTION = 2 ** -23;
/** A run that has learned less, in nats, has little to lose: it must lose as much. */
const LITTLE = 0.75;

interface State extends LossLevelState {
  window: WindowState;
  bests: WindowState;
  swings: SwingsState;
}

interface Limits {
  /** Standard deviations above the mean of the 128 losses before. */
  sigmas: number;
  /** Critical once the loss has risen by more than this share of what had been learned, for so many steps. */
  lostShare: number;
  lostSteps: number;
}

/**
 * Warning: the loss is more than six standard deviations above the mean of the 128 before (the rule by which OLMo-core's
 * SkipStepOptimizer passes over an update, with its defaults). It sees a spike when it is there, also one that passes.
 *
 * Critical: the median of the last 9 losses has for 40 steps been above the lowest such median by more than half of what
 * had been learned, and by 0.4 nats at least. This is what the labels of the recorded runs call divergence: a fact, no
 * forecast, and said of no run of which they do not say so at that step. A wave about a level is not: a run that has learned little must lose 0.75 nats, and one that came back from
 * such rises must be up by half more, or half as long again, than in any of them.
 */
class LossSpike implements StepObserver {
  readonly #limits: Limits;
  readonly #window: Window;
  /** The lowest level up to each step of the window, for a rewind to it. */
  readonly #bests: Window;
  readonly #level: LossLevel;
  readonly #swings: Swings;

  constructor(limits: Limits, state?: State) {
    this.#limits = limits;
    this.#window = new Window(WINDOW + 1, state?.window);
    this.#bests = new Window(WINDOW + 1, state?.bests);
    this.#level = new LossLevel(state);
    this.#swings = new Swings(state?.swings);
  }

  state(): State {
    const [window, bests] = [this.#window.state(), this.#bests.state()];
    return { window, bests, swings: this.#swings.state(), ...this.#level.state() };
  }

  observe({ step, loss }: Signals): Assessment | null {
    this.#window.rewind(step);
    this.#bests.rewind(step);
    const best = this.#bests.values.at(-1) ?? null;
    this.#level.rewind(step, best);
    this.#swings.rewind(step, best === null);
    if (!isFiniteNumber(loss)) return null;
    this.#window.add(step, loss);
    return this.#lost(step) ?? this.#spike(loss) ?? CALM;
  }

  #lost(step: number): Assessment | null {
    const { values } = this.#window;
    const { lostShare, lostSteps } = this.#limits;
    const level = levelOf(values);
    const lost = this.#level.observe(step, level, lostShare);
    this.#bests.add(step, Math.min(this.#bests.values.at(-1) ?? level, level));
    const isNoSwing = this.#swings.observe(step, lost);
    if (!lost) return null;
    const { since, best, first } = lost;
    const isMuch = Math.max(first - best, level - best) > LITTLE;
    const explain = () => ({
      message: `loss rose from ${readable(best)} to ${readable(level)} and stays there since step ${since}: the run has diverged`,
      evidence: { level, best, first, since },
      from: since,
      risk: null,
      divergenceStep: since,
    });
    return { level: isMuch && isNoSwing && step - since >= lostSteps ? 'critical' : 'uneasy', explain };
  }

  #spike(loss: number): Assessment | null {
    const { values } = this.#window;
    const losses = values.length - 1;
    if (losses < MIN_LOSSES) return null;
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

export const lossSpike = stepRule(
  {
    name: 'loss-spike',
    title: 'Loss spike',
    what: 'Warning: the loss jumps out of its recent range. Critical: much of what had been learned is lost, and stays lost.',
    formula:
      'warning: loss > mean + k · standard deviation of the 128 before; critical: median of 9 losses > best + max(share · (first − best), 0.4 nats; 0.75 where less than that had been learned) for as many steps, and 1.5 times as high or as long as every rise that it came back from',
    source: 'the warning: OLMo-core’s SkipStepOptimizer; the critical alert is what recorded runs are labeled by',
    settings: {
      sigmas: positive(6, 'Warning above', 'standard deviations'),
      lostShare: positive(0.5, 'Critical once lost', 'share of what was learned'),
      lostSteps: steps(40, 'Critical once lost for'),
    },
    ascending: [],
    evidence: {
      loss: ['loss', 'number'],
      mean: ['mean before', 'number'],
      std: ['standard deviation before', 'number'],
      losses: ['losses before', 'count'],
      level: ['loss, median of 9', 'number'],
      best: ['its best', 'number'],
      first: ['its first', 'number'],
      since: ['since step', 'count'],
    },
    isAnswered: true,
    marks: 'loss',
    create: (settings, state) => new LossSpike(settings, state as State | undefined),
  },
  64,
);
