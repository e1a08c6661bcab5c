import { z } from 'zod';
import type { Rule, Setting, ValuesOf } from './rule.ts';
import { RULES, type RuleName } from './rules.ts';

type KnownRule = (typeof RULES)[number];
type ValuesOfRule<Name extends RuleName> = ValuesOf<Extract<KnownRule, { name: Name }>['settings']>;

/** Rule settings of a project: of each rule only the values that differ from {@link DEFAULT_RULE_SETTINGS}. */
export type RuleSettings = { [Name in RuleName]?: Partial<ValuesOfRule<Name>> | undefined };

/** The same of any rules. */
export type AnyRuleSettings = Readonly<Record<string, AnyValues | undefined>>;
type AnyValues = Readonly<Record<string, number | boolean | undefined>>;

/** All values of a rule, those that are set and the defaults of the rest. */
export function valuesOf(rule: Rule, set: AnyValues = {}): Readonly<Record<string, number | boolean>> {
  const names = Object.keys(rule.settings);
  const values = names.map((name) => [name, set[name] ?? defaultOf(rule, name)]);
  return { enabled: set.enabled ?? true, ...Object.fromEntries(values) };
}

function defaultOf(rule: Rule, name: string): number {
  const setting = rule.settings[name];
  if (!setting) throw new Error(`the rule ${rule.name} has no setting ${name}`);
  return setting.default;
}

/** The default of every setting, by rule. */
export const DEFAULT_RULE_SETTINGS = Object.fromEntries(RULES.map((rule) => [rule.name, valuesOf(rule)])) as {
  readonly [Name in RuleName]: ValuesOfRule<Name>;
};

/** The names of the rules that settings switch off. */
export function disabledRules(settings: RuleSettings): RuleName[] {
  return RULES.filter((rule) => !valuesOf(rule, settings[rule.name]).enabled).map(({ name }) => name);
}

/**
 * The schema of the settings of some rules. A name that is not known is refused, and so is a limit that lies below a
 * lesser one, whether that is set or a default.
 */
export function settingsSchema(rules: readonly Rule[]) {
  return z
    .strictObject(Object.fromEntries(rules.map((rule) => [rule.name, ruleSchema(rule)])))
    .partial()
    .superRefine((settings, context) => {
      for (const rule of rules) {
        const problem = problemOf(rule, settings[rule.name]);
        if (problem) context.addIssue({ code: 'custom', path: [rule.name, problem.setting], message: problem.message });
      }
    });
}

function ruleSchema(rule: Rule) {
  const settings = Object.entries<Setting>(rule.settings);
  const schemas = Object.fromEntries(settings.map(([name, { schema }]) => [name, schema.optional()]));
  return z.strictObject({ enabled: z.boolean().optional() }).extend(schemas);
}

function problemOf(rule: Rule, set: AnyValues | undefined): { setting: string; message: string } | null {
  const values = valuesOf(rule, set);
  for (const chain of rule.ascending) {
    const limits = chain.map((name) => Number(values[name]));
    const at = limits.findIndex((limit, place) => limit < (limits[place - 1] ?? limit));
    if (at < 0) continue;
    const [lesser, setting] = [String(chain[at - 1]), String(chain[at])];
    const message = `must not be below “${rule.settings[lesser]?.label}”, which is ${limits[at - 1]}`;
    return { setting, message };
  }
  return null;
}

/** Stored settings without the rules and settings that there are no more: those of an earlier version say nothing now. */
export function knownSettings(stored: AnyRuleSettings): RuleSettings {
  const known = RULES.flatMap((rule: Rule) => {
    const names = ['enabled', ...Object.keys(rule.settings)];
    const values = Object.entries(stored[rule.name] ?? {}).filter(([name]) => names.includes(name));
    return values.length > 0 ? [[rule.name, Object.fromEntries(values)]] : [];
  });
  return Object.fromEntries(known);
}

/** The schema of {@link RuleSettings}: rejects unknown rules and settings, and thresholds out of order. */
export const ruleSettings = settingsSchema(RULES) as unknown as z.ZodType<RuleSettings, RuleSettings>;
