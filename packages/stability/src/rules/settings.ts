/** What every rule can be told. */
interface Common {
  enabled: boolean;
  /** The alert resolves once the rule has been calm for so many steps … */
  resolveSteps: number;
  /** … and does not open again for so many more. */
  cooldownSteps: number;
}

export interface RuleSettings {
  'tev-growth': Common & {
    /** Risks at which the alert opens, and at which it is critical. */
    warning: number;
    critical: number;
    /** The same for a surge: it leaves ten or twenty steps to act, so it is acted on when less is certain. */
    surgeWarning: number;
    surgeCritical: number;
    /** Below this risk the rule is calm. */
    calm: number;
  };
  'grad-variance': Common & {
    /** Standard deviations of log gradVar over the steps before. */
    warning: number;
    critical: number;
  };
  'loss-spike': Common & {
    /** Standard deviations above the mean of the 128 losses before. */
    sigmas: number;
    /** Critical once the loss has risen by more than this share of what had been learnt, for so many steps. */
    lostShare: number;
    lostSteps: number;
  };
  'non-finite': Common;
  /** Resolves at the next step. */
  stalled: Pick<Common, 'enabled'> & {
    /** How many times the longest of the last 64 waits between steps; and seconds, whichever is longer. */
    warningTimes: number;
    criticalTimes: number;
    warningSeconds: number;
    criticalSeconds: number;
  };
}

export type RuleName = keyof RuleSettings;

/** Settings of some rules, and of each only those that differ from {@link DEFAULT_RULES}. */
export type RuleOverrides = { [Name in RuleName]?: Partial<RuleSettings[Name]> | undefined };

const COMMON: Common = { enabled: true, resolveSteps: 30, cooldownSteps: 100 };

export const DEFAULT_RULES: RuleSettings = {
  'tev-growth': { ...COMMON, warning: 0.5, critical: 0.8, surgeWarning: 0.4, surgeCritical: 0.5, calm: 0.25 },
  'grad-variance': { ...COMMON, warning: 4.5, critical: 6 },
  'loss-spike': { ...COMMON, resolveSteps: 64, sigmas: 6, lostShare: 0.5, lostSteps: 40 },
  'non-finite': { ...COMMON, resolveSteps: 64 },
  stalled: {
    enabled: true,
    warningTimes: 5,
    criticalTimes: 20,
    warningSeconds: 60,
    criticalSeconds: 600,
  },
};

export function withDefaults(overrides: RuleOverrides = {}): RuleSettings {
  const names = Object.keys(DEFAULT_RULES) as RuleName[];
  return Object.fromEntries(
    names.map((name) => [name, { ...DEFAULT_RULES[name], ...overrides[name] }]),
  ) as unknown as RuleSettings;
}

/** Each must not be above the next: limits of growing alarm. */
const ASCENDING: { [Name in RuleName]?: readonly (readonly (keyof RuleSettings[Name])[])[] } = {
  'tev-growth': [
    ['calm', 'warning', 'critical'],
    ['calm', 'surgeWarning', 'surgeCritical'],
  ],
  'grad-variance': [['warning', 'critical']],
  stalled: [
    ['warningTimes', 'criticalTimes'],
    ['warningSeconds', 'criticalSeconds'],
  ],
};

/** What is wrong with settings together with the defaults that they leave; null where nothing is. */
export function problemOfRules(overrides: RuleOverrides): { field: string; problem: string } | null {
  const settings = withDefaults(overrides) as unknown as Record<string, Record<string, number>>;
  for (const [rule, chains] of Object.entries(ASCENDING)) {
    for (const chain of chains as readonly (readonly string[])[]) {
      const limits = chain.map((name) => settings[rule]?.[name] as number);
      const at = limits.findIndex((limit, place) => limit < (limits[place - 1] ?? limit));
      if (at < 0) continue;
      return {
        field: `${rule}.${chain[at]}`,
        problem: `must not be below ${chain[at - 1]}, which is ${limits[at - 1]}`,
      };
    }
  }
  return null;
}
