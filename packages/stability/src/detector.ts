import { type Finding, type Rule, type Signals, WINDOW_STEPS } from './finding.ts';
import { lossSpike } from './rules/loss-spike.ts';
import { nonFinite } from './rules/non-finite.ts';
import { tevGrowth } from './rules/tev-growth.ts';

const RULES: readonly Rule[] = [tevGrowth, lossSpike, nonFinite];

/** A rule that has reported stays silent until its condition has not held for so many steps on end. */
const REARM_STEPS = 64;

/**
 * A detector that is fed the last so many steps of a run goes on as one that was fed all of them: whether a rule may
 * report rests on whether it held at the steps of the re-arming, and each of those judgements on its own window.
 */
export const DETECTOR_MEMORY_STEPS = REARM_STEPS + WINDOW_STEPS;

interface JudgedStep extends Signals {
  /** The rules whose condition held. */
  held: readonly Finding['rule'][];
}

/**
 * Judges one run step by step, in constant time and memory. Steps are counted as they come: a trainer that logs each
 * tenth has a window that reaches ten times as far, and a step without a rule's signals is one at which it did not hold.
 */
export class Detector {
  private readonly history: JudgedStep[] = [];

  /**
   * Takes the next step and returns what has just become true. A step that is not after the last rewinds: what was
   * known from there on is forgotten, and the rules make do with what is left until their windows have filled again.
   */
  observe({ step, loss, tevMean, gradVar, gradNorm }: Signals): Finding[] {
    this.rewind(step);
    const newest: JudgedStep = { step, loss, tevMean, gradVar, gradNorm, held: [] };
    this.history.push(newest);
    const findings = RULES.map((rule) => rule(this.history)).filter((finding) => finding !== null);
    newest.held = findings.map(({ rule }) => rule);
    if (this.history.length > DETECTOR_MEMORY_STEPS) this.history.shift();
    return findings.filter(({ rule }) => this.isArmed(rule));
  }

  private rewind(step: number): void {
    while ((this.history.at(-1)?.step ?? Number.NEGATIVE_INFINITY) >= step) this.history.pop();
  }

  private isArmed(rule: Finding['rule']): boolean {
    return !this.history.slice(-1 - REARM_STEPS, -1).some(({ held }) => held.includes(rule));
  }
}
