import type { Verdict } from './finding.ts';
import type { Forecast } from './forecast/forecaster.ts';
import type { ClockObserver, ClockRule, Rule, StepObserver, StepRule } from './rules/rule.ts';
import { clockRulesOf, RULES, stepRulesOf } from './rules/rules.ts';
import { type AnyRuleSettings, valuesOf } from './rules/settings.ts';
import type { Signals } from './signals.ts';
import { Watch, type WatchState } from './watch.ts';

/** Plain data, a few KiB. Another version's is not understood. */
export interface DetectorState {
  version: typeof STATE_VERSION;
  step: number | null;
  /** By name. */
  rules: Record<string, { rule: unknown; watch: WatchState }>;
}

/** Of what rules remember: to be raised with every change of it. */
const STATE_VERSION = 3;

interface Watched<R, Observer> {
  rule: R;
  observer: Observer;
  watch: Watch;
}

interface DetectorOptions {
  rules?: readonly Rule[];
  /** Of the detector to go on from. */
  state?: DetectorState | undefined;
}

/**
 * Judges one run step by step, in constant time and memory, by the rules that are enabled. A step that is not after the
 * last rewinds: what was known from there on is forgotten.
 */
export class Detector {
  readonly #settings: AnyRuleSettings;
  readonly #stepRules: Watched<StepRule, StepObserver>[];
  readonly #clockRules: Watched<ClockRule, ClockObserver>[];
  #step: number | null = null;

  /** @param settings what differs from the defaults. */
  constructor(settings: AnyRuleSettings = {}, { rules = RULES, state }: DetectorOptions = {}) {
    const known = state && Detector.understands(state) ? state : null;
    this.#settings = settings;
    this.#step = known?.step ?? null;
    const enabled = rules.filter((rule) => this.#valuesOf(rule).enabled);
    this.#stepRules = stepRulesOf(enabled).map((rule) => {
      const { resolveSteps, cooldownSteps } = this.#valuesOf(rule);
      const limits = { resolveSteps: Number(resolveSteps), cooldownSteps: Number(cooldownSteps) };
      return {
        rule,
        observer: rule.create(this.#valuesOf(rule), known?.rules[rule.name]?.rule),
        watch: new Watch(rule.name, limits, known?.rules[rule.name]?.watch),
      };
    });
    this.#clockRules = clockRulesOf(enabled).map((rule) => ({
      rule,
      observer: rule.create(this.#valuesOf(rule), known?.rules[rule.name]?.rule),
      watch: new Watch(rule.name, undefined, known?.rules[rule.name]?.watch),
    }));
  }

  #valuesOf(rule: Rule) {
    return valuesOf(rule, this.#settings[rule.name]);
  }

  /** Whether a state is of this version, and can be gone on from. */
  static understands(state: Pick<DetectorState, 'version'>): boolean {
    return state.version === STATE_VERSION;
  }

  /** A detector that goes on as the one whose state it was, with other settings. */
  static restore(state: DetectorState, settings?: AnyRuleSettings, rules?: readonly Rule[]): Detector {
    return new Detector(settings, { state, ...(rules && { rules }) });
  }

  state(): DetectorState {
    const rules = this.#all().map(({ rule, observer, watch }) => {
      return [rule.name, { rule: observer.state(), watch: watch.state() }];
    });
    return { version: STATE_VERSION, step: this.#step, rules: Object.fromEntries(rules) };
  }

  #all(): readonly Watched<Rule, StepObserver | ClockObserver>[] {
    return [...this.#stepRules, ...this.#clockRules];
  }

  /** The forecast at the last step; null where no rule forecasts, or the run is too young to be judged. */
  get forecast(): Forecast | null {
    return this.#stepRules.find(({ observer }) => observer.forecast)?.observer.forecast ?? null;
  }

  /**
   * Another attempt goes on from a step, maybe with other settings. A rule whose alert is open has reported what it had
   * to report of the attempt before: the alert resolves, and the rule judges this attempt by its own steps alone. Any
   * other rule goes on from what it knows.
   */
  newAttempt(step: number): Verdict[] {
    const verdicts: Verdict[] = [];
    for (const watched of this.#stepRules) {
      const resolved = watched.watch.newAttempt(step);
      if (!resolved) {
        watched.observer.newAttempt?.();
        continue;
      }
      watched.observer = watched.rule.create(this.#valuesOf(watched.rule));
      verdicts.push(resolved);
    }
    return [...verdicts, ...this.#clockRules.flatMap(({ watch }) => watch.newAttempt(step) ?? [])];
  }

  /** The run goes on far ahead of the last step: a jump of numbers is no time in which it was calm. */
  leap(): void {
    for (const { watch } of this.#stepRules) watch.leap();
  }

  /** The names of the rules whose alert is open, as far as this detector knows. */
  openRules(): string[] {
    return this.#all().flatMap(({ rule, watch }) => (watch.isOpen ? [rule.name] : []));
  }

  /** Takes the next step and returns what has just changed. */
  observe(signals: Signals): Verdict[] {
    const { step } = signals;
    const rewinds = this.#step !== null && step <= this.#step;
    this.#step = step;
    const verdicts: Verdict[] = [];
    for (const { observer, watch } of this.#stepRules) {
      const rewound = rewinds ? watch.rewind(step) : null;
      if (rewound) verdicts.push(rewound);
      const assessment = observer.observe(signals);
      const verdict = assessment && watch.observe(step, assessment);
      if (verdict) verdicts.push(verdict);
    }
    for (const { observer, watch } of this.#clockRules) {
      observer.observe(signals);
      const resumed = watch.resume(step);
      if (resumed) verdicts.push(resumed);
    }
    return verdicts;
  }

  /**
   * Looks at a part of a step that was judged without it, or at a step behind the last one: only at what it shows by
   * itself, and nothing is rewound.
   */
  observeLate(part: Signals): Verdict[] {
    return this.#stepRules.flatMap(({ observer, watch }) => {
      const assessment = watch.isOpen ? null : observer.observeLate?.(part);
      return (assessment && watch.observe(part.step, assessment)) ?? [];
    });
  }

  /** Returns what has changed since the last step because none has come, `now` in milliseconds since 1970. */
  elapse(now: number): Verdict[] {
    return this.#clockRules.flatMap(({ observer, watch }) => {
      const silence = observer.elapse(now);
      return (silence && watch.observe(silence.step, silence.assessment)) ?? [];
    });
  }
}
