import type { Signals } from '../signals.ts';
import { nearestQuantile } from '../statistics.ts';
import { growthOf } from './growth.ts';
import { fitLogistic, type Weights } from './logistic.ts';
import {
  type ForecastModel,
  growthInputs,
  growthRisk,
  HORIZON_STEPS,
  type Lead,
  MIN_SURGE,
  surgeRisk,
  surgeScore,
} from './model.ts';
import { Trail } from './trail.ts';

/** A recorded run and the step from which it diverged, null if it stayed healthy. */
export interface LabeledRun {
  steps: readonly Signals[];
  onset: number | null;
}

/** A step of a run before its onset, as the forecast sees it. */
interface Example {
  /** The growth score, and the growth of agreement where gradients are known. */
  growth: number[];
  surge: number;
  /** Steps to onset; infinite in a healthy run. */
  lead: number;
  /** Whether the run had, or has, so long to go that the slow scale could see it coming. */
  isLate: boolean;
  /** So that a run logged seldom weighs as much as one logged often. */
  weight: number;
}

/** The logging intervals that runs are learned at. */
const INTERVALS = [1, 10] as const;
/** Below this there is no growth to speak of; such steps are most of all, and would bend the curve where it matters. */
const MIN_GROWTH = 0;

/**
 * Fits the forecast to labeled runs: two logistic risks of onset within {@link HORIZON_STEPS} steps, and for levels of
 * risk the percentiles of the steps that are left until onset.
 */
export function fitForecast(runs: readonly LabeledRun[]): ForecastModel {
  const examples = runs.flatMap((run) => INTERVALS.flatMap((every) => examplesOf(run, every)));
  const growing = examples.filter(({ growth: [score = 0], isLate }) => isLate && score > MIN_GROWTH);
  const surging = examples.filter(({ surge }) => surge > MIN_SURGE);
  const growth = learn(growing, ({ growth: [score = 0] }) => [score]);
  const agreeing = growing.filter((example) => example.growth.length === 2);
  const growthAndAgreement = agreeing.length > 0 ? learn(agreeing, (example) => example.growth) : [...growth, 0];
  const surge = learn(surging, (example) => [example.surge]);
  const model = { growth, growthAndAgreement, surge };
  return {
    ...model,
    growthLeads: leadsOf(growing, (example) => growthRisk(model, example.growth), GROWTH_RISKS),
    surgeLeads: leadsOf(surging, (example) => surgeRisk(model, example.surge), SURGE_RISKS),
  };
}

function learn(examples: readonly Example[], inputs: (example: Example) => number[]): Weights {
  return fitLogistic(
    examples.map((example) => ({
      x: inputs(example),
      y: example.lead <= HORIZON_STEPS ? 1 : 0,
      weight: example.weight,
    })),
  );
}

function examplesOf({ steps, onset }: LabeledRun, every: number): Example[] {
  const trail = new Trail();
  const examples: Example[] = [];
  for (const signals of steps) {
    if (signals.step % every !== 0) continue;
    if (onset !== null && signals.step >= onset) break;
    const growth = trail.add(signals) ? growthOf(trail) : null;
    if (!growth) continue;
    examples.push({
      growth: growthInputs(growth),
      surge: growth.surge ? surgeScore(growth.surge) : MIN_SURGE,
      lead: onset === null ? Number.POSITIVE_INFINITY : onset - signals.step,
      isLate: onset === null || onset > HORIZON_STEPS,
      weight: every,
    });
  }
  return examples;
}

/** The bounds of the bins in which leads are counted. */
const GROWTH_RISKS = [0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1] as const;
const SURGE_RISKS = [0.3, 0.4, 0.5, 1] as const;

function leadsOf(examples: readonly Example[], risk: (example: Example) => number, bounds: readonly number[]): Lead[] {
  return bounds.slice(1).flatMap((below, at) => {
    const from = bounds[at] as number;
    const inside = examples.filter((one) => Number.isFinite(one.lead) && risk(one) >= from && risk(one) < below);
    if (inside.length < 5) return [];
    const leads = inside.map(({ lead }) => lead).sort((a, b) => a - b);
    const middle = inside.reduce((sum, one) => sum + risk(one), 0) / inside.length;
    return [
      {
        risk: at === 0 ? from : middle,
        low: nearestQuantile(leads, 0.1),
        middle: nearestQuantile(leads, 0.5),
        high: nearestQuantile(leads, 0.9),
      },
    ];
  });
}
