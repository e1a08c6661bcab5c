import type { Verdict } from './finding.ts';
import type { Forecast } from './forecast/forecaster.ts';
import type { ForecastModel } from './forecast/model.ts';
import { GradVariance } from './rules/grad-variance.ts';
import { LossSpike } from './rules/loss-spike.ts';
import { NonFinite } from './rules/non-finite.ts';
import type { Rule } from './rules/rule.ts';
import { type RuleName, type RuleOverrides, type RuleSettings, withDefaults } from './rules/settings.ts';
import { Stalled } from './rules/stalled.ts';
import { TevGrowth } from './rules/tev-growth.ts';
import type { Signals } from './signals.ts';
import { Watch, type WatchState } from './watch.ts';

/** Plain data, a few KiB. Another version's is not understood. */
export interface DetectorState {
  version: typeof STATE_VERSION;
  step: number | null;
  rules: { [Name in RuleName]?: { rule: unknown; watch: WatchState } };
}

/** Of what rules remember: to be raised with every change of it. */
const STATE_VERSION = 1;

interface Watched<R> {
  rule: R;
  watch: Watch;
}

/** A run that is silent no longer is not silent any more. */
const AT_ONCE = { resolveSteps: 0, cooldownSteps: 0 };

/** The rules that judge by steps; `stalled` judges by the want of them. */
export const STEP_RULES = ['tev-growth', 'grad-variance', 'loss-spike', 'non-finite'] as const;
export type StepRule = (typeof STEP_RULES)[number];

/**
 * Judges one run step by step, in constant time and memory, by the rules that are enabled. A step that is not after the
 * last rewinds: what was known from there on is forgotten.
 */
export class Detector {
  readonly #settings: RuleSettings;
  readonly #model: ForecastModel | undefined;
  readonly #rules = new Map<StepRule, Watched<Rule>>();
  readonly #stalled: Watched<Stalled> | null = null;
  #step: number | null = null;

  constructor(overrides?: RuleOverrides, state?: DetectorState, model?: ForecastModel) {
    const settings = withDefaults(overrides);
    const known = state && Detector.understands(state) ? state : null;
    this.#settings = settings;
    this.#model = model;
    this.#step = known?.step ?? null;
    const watch = (name: RuleName) => {
      const limits = name === 'stalled' ? AT_ONCE : settings[name];
      return new Watch(name, limits, known?.rules[name]?.watch);
    };
    for (const name of STEP_RULES) {
      if (!settings[name].enabled) continue;
      this.#rules.set(name, { rule: this.#createRule(name, known?.rules[name]?.rule), watch: watch(name) });
    }
    if (settings.stalled.enabled) {
      const remembered = known?.rules.stalled?.rule as ReturnType<Stalled['state']> | undefined;
      this.#stalled = { rule: new Stalled(settings.stalled, remembered), watch: watch('stalled') };
    }
  }

  /** @param state what the rule's own `state` gave; none where it begins. */
  #createRule(name: StepRule, state?: unknown): Rule {
    const known = <State>() => state as State;
    switch (name) {
      case 'tev-growth':
        return new TevGrowth(this.#settings[name], known(), this.#model);
      case 'grad-variance':
        return new GradVariance(this.#settings[name], known());
      case 'loss-spike':
        return new LossSpike(this.#settings[name], known());
      case 'non-finite':
        return new NonFinite(known());
    }
  }

  /** Whether a state is of this version, and can be gone on from. */
  static understands(state: Pick<DetectorState, 'version'>): boolean {
    return state.version === STATE_VERSION;
  }

  /** A detector that goes on as the one whose state it was, under the rules it is told. */
  static restore(state: DetectorState, overrides?: RuleOverrides): Detector {
    return new Detector(overrides, state);
  }

  state(): DetectorState {
    const watched: [RuleName, Watched<{ state(): unknown }>][] = [...this.#rules];
    if (this.#stalled) watched.push(['stalled', this.#stalled]);
    const rules = watched.map(([name, { rule, watch }]) => [name, { rule: rule.state(), watch: watch.state() }]);
    return { version: STATE_VERSION, step: this.#step, rules: Object.fromEntries(rules) };
  }

  /** What `tev-growth` said of the last step; null where it is off, or the run too young to be judged. */
  get forecast(): Forecast | null {
    return this.#rules.get('tev-growth')?.rule.forecast ?? null;
  }

  /**
   * Another attempt goes on from a step, maybe with other settings. A rule whose alert is open has said what it had to
   * say of the attempt before: the alert resolves, and the rule judges this attempt by its own steps alone.
   */
  newAttempt(step: number): Verdict[] {
    const verdicts: Verdict[] = [];
    for (const [name, watched] of this.#rules) {
      const resolved = watched.watch.newAttempt(step);
      if (!resolved) continue;
      watched.rule = this.#createRule(name);
      verdicts.push(resolved);
    }
    const stalled = this.#stalled?.watch.newAttempt(step);
    return stalled ? [...verdicts, stalled] : verdicts;
  }

  /** The rules whose alert is open, as far as this detector knows. */
  openRules(): RuleName[] {
    const open: RuleName[] = [...this.#rules].flatMap(([name, { watch }]) => (watch.isOpen ? [name] : []));
    return this.#stalled?.watch.isOpen ? [...open, 'stalled'] : open;
  }

  /** Takes the next step and returns what has just changed. */
  observe(signals: Signals): Verdict[] {
    const { step } = signals;
    const rewinds = this.#step !== null && step <= this.#step;
    this.#step = step;
    const verdicts: Verdict[] = [];
    for (const { rule, watch } of this.#rules.values()) {
      const rewound = rewinds ? watch.rewind(step) : null;
      if (rewound) verdicts.push(rewound);
      const reading = rule.observe(signals);
      const verdict = reading && watch.observe(step, reading);
      if (verdict) verdicts.push(verdict);
    }
    const woken = this.#wake(signals);
    if (woken) verdicts.push(woken);
    return verdicts;
  }

  /** Returns what has changed since the last step because none has come, `now` in milliseconds since 1970. */
  elapse(now: number): Verdict[] {
    const silence = this.#stalled?.rule.elapse(now);
    const verdict = silence && this.#stalled?.watch.observe(silence.step, silence.reading);
    return verdict ? [verdict] : [];
  }

  #wake(signals: Signals): Verdict | null {
    if (!this.#stalled) return null;
    const { rule, watch } = this.#stalled;
    rule.observe(signals);
    return watch.resume(signals.step);
  }
}
