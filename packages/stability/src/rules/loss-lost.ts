import { readable } from '../readable.ts';
import type { Signals } from '../signals.ts';
import { type LossMotion, LossTrail, type LossTrailState, WINDOW_STEPS } from './loss-trail.ts';
import { type Assessment, CALM, type Explanation, type Level, margin, type StepObserver, stepRule } from './rule.ts';
import { isFiniteNumber } from './window.ts';

/** Where a term's margin is 0, and by how much it changes a margin by 1. */
type Term = readonly [limit: number, scale: number];

/** Lost: the loss is up by a share of what had been learned … */
const RISE: Term = [0.5, 0.1];
/** … and the gradient norm has grown by so many e-folds. */
const NORM: Term = [1, 0.2];
/** Losing: the loss rises in 40 steps by a share of what had been learned … */
const SLOPE: Term = [0.05, 0.1];
/** … the learning rate is so many e-folds above the greatest of 40 steps ago and before … */
const RATE: Term = [0.6, 0.2];
/** … and is planned to be so many e-folds higher in 20 steps. */
const PLAN: Term = [0.05, 0.1];

interface Limits {
  calm: number;
  warning: number;
  critical: number;
}

interface State {
  /** The first step with TEV; null where none had it. */
  tevSince: number | null;
  trail: LossTrailState;
}

/**
 * Of a run that sends no TEV: it is losing what it learned. By loss and gradient norm it is seen when it happens; by loss
 * and learning rate, before. Each is the lowest of the margins of its terms, so that all of them must hold; a plan that is
 * unknown is left out.
 *
 * The limits are our own, set on 51 ramps of the learning rate that diverged and 183 other runs of tiny GPTs. There loss
 * and learning rate find 44 ramps before their onset, 41 of them 10 steps before at least, with 1 false alarm; logged every
 * tenth step 39, with 3. Loss and gradient norm find 35, in the median 2 steps ahead, with 1 false alarm; logged every tenth
 * step they are late. `evenkeel bench forecast` measures it; on runs of our own trainer it alarms more often.
 *
 * Says nothing of a run that sends TEV, which `tev-growth` judges, and forecasts no step: it knows no risk. A learning
 * rate that rises by less than 1.8 times in 40 steps is not seen to rise.
 */
class LossLost implements StepObserver {
  readonly #limits: Limits;
  #tevSince: number | null;
  #trail: LossTrail;

  constructor(limits: Limits, state?: State) {
    this.#limits = limits;
    this.#tevSince = state?.tevSince ?? null;
    this.#trail = new LossTrail(state?.trail);
  }

  state(): State {
    return { tevSince: this.#tevSince, trail: this.#trail.state() };
  }

  observe(signals: Signals): Assessment | null {
    const { step, loss, tevMean } = signals;
    if (this.#tevSince !== null && this.#tevSince >= step) this.#tevSince = null;
    if (tevMean != null && this.#tevSince === null) {
      this.#tevSince = step;
      this.#trail = new LossTrail();
    }
    if (this.#tevSince !== null) return CALM;
    this.#trail.rewind(step);
    const motion = isFiniteNumber(loss) ? this.#trail.add(signals, loss) : null;
    return motion && this.#judge(motion, planOf(signals));
  }

  #judge(motion: LossMotion, plan: number | null): Assessment | null {
    if (motion.normGrowth === null && motion.lrGrowth === null) return null;
    const lost = lostMargin(motion);
    const losing = losingMargin(motion, plan);
    return {
      level: this.#level(Math.max(lost, losing)),
      explain: () => explain(motion, plan, losing > lost),
    };
  }

  #level(margin: number): Level {
    const { calm, warning, critical } = this.#limits;
    if (margin > critical) return 'critical';
    if (margin > warning) return 'warning';
    return margin > calm ? 'uneasy' : 'calm';
  }
}

function marginOf(value: number, [limit, scale]: Term): number {
  return (value - limit) / scale;
}

/** Of a term that is unknown: it cannot hold. */
const UNKNOWN = Number.NEGATIVE_INFINITY;

function lostMargin({ rise, normGrowth }: LossMotion): number {
  return Math.min(marginOf(rise, RISE), marginOf(normGrowth ?? UNKNOWN, NORM));
}

function losingMargin({ slope, lrGrowth }: LossMotion, plan: number | null): number {
  const lowest = Math.min(marginOf(slope, SLOPE), marginOf(lrGrowth ?? UNKNOWN, RATE));
  return plan === null ? lowest : Math.min(lowest, marginOf(plan, PLAN));
}

/** E-folds by which the learning rate is planned to be higher, -∞ where it is planned to be 0; null where no plan is known. */
function planOf({ lr, lrAhead }: Signals): number | null {
  const plan = isFiniteNumber(lr) && isFiniteNumber(lrAhead) ? Math.log(lrAhead / lr) : Number.NaN;
  return Number.isNaN(plan) ? null : plan;
}

type Known = [name: string, value: number];

function explain(motion: LossMotion, plan: number | null, isLosing: boolean): Explanation {
  const { from, learned, rise, slope, normGrowth, lrGrowth } = motion;
  const terms = { learned, rise: rise * learned, slope: slope * learned, normGrowth, lrGrowth, plan };
  return {
    message: `the run is losing what it learned: ${isLosing ? losing(motion, plan) : lost(motion)}`,
    evidence: Object.fromEntries(Object.entries(terms).filter((term): term is Known => isFiniteNumber(term[1]))),
    from,
    risk: null,
    divergenceStep: null,
  };
}

function lost({ rise, learned, normGrowth }: LossMotion): string {
  return `loss ${readable(rise * learned, 2)} nats above its best, gradient norm x${readable(Math.exp(normGrowth ?? 0), 2)}`;
}

function losing({ slope, learned, lrGrowth }: LossMotion, plan: number | null): string {
  const planned = plan === null ? '' : `, planned to rise x${readable(Math.exp(plan), 2)} more`;
  return `loss rises by ${readable(slope * learned, 2)} nats in ${WINDOW_STEPS} steps, learning rate x${readable(Math.exp(lrGrowth ?? 0), 2)}${planned}`;
}

/** A ramp of the learning rate takes longer than the pauses of the loss in it: its warning is still open at the next. */
const RESOLVE_STEPS = 100;

export const lossLost = stepRule(
  {
    name: 'loss-lost',
    title: 'Learning lost',
    what: 'Of runs without TEV: the run is losing what it learned. Seen in loss and gradient norm when it happens, in loss and learning rate before.',
    formula:
      'the greater of two margins, each the lowest of its terms. Lost: loss above its best ÷ what was learned, growth of log gradient norm. Losing: slope of the loss ÷ what was learned, growth of log learning rate, and its planned growth',
    source: 'our own, measured on recorded runs',
    settings: {
      calm: margin(-1, 'Calm up to'),
      warning: margin(-0.5, 'Warning above'),
      critical: margin(0, 'Critical above'),
    },
    ascending: [['calm', 'warning', 'critical']],
    evidence: {
      learned: ['learned at best, in nats', 'number'],
      rise: ['loss above its best', 'number'],
      slope: ['loss rises in 40 steps by', 'number'],
      normGrowth: ['gradient norm', 'log times'],
      lrGrowth: ['learning rate above its greatest before', 'log times'],
      plan: ['planned in 20 steps', 'log times'],
    },
    isAnswered: true,
    marks: 'loss',
    create: (settings, state) => new LossLost(settings, state as State | undefined),
  },
  RESOLVE_STEPS,
);
