import { parse, RefusedError, type RuleSettings, ruleSettings } from '@evenkeel/protocol';
import { DEFAULT_RULES, problemOfRules, type RuleName } from '@evenkeel/stability';
import { RULE_DOCS, RULE_NAMES } from './rule-docs.ts';

/** What stands in a rule's fields; an empty one leaves the default. */
export interface RuleFields {
  enabled: boolean;
  values: Record<string, string>;
}

export type RuleForm = Record<RuleName, RuleFields>;

export function toForm(settings: RuleSettings): RuleForm {
  const fields = (name: RuleName): RuleFields => {
    const set: Record<string, unknown> = { ...settings[name] };
    const names = Object.keys(RULE_DOCS[name].fields);
    const values = names.map((field) => [field, set[field] === undefined ? '' : String(set[field])]);
    return { enabled: settings[name]?.enabled ?? DEFAULT_RULES[name].enabled, values: Object.fromEntries(values) };
  };
  return Object.fromEntries(RULE_NAMES.map((name) => [name, fields(name)])) as RuleForm;
}

/**
 * The settings that a form asks for: only what differs from the defaults.
 * @throws RefusedError naming the rule and the field that is wrong, `tev-growth.critical`.
 */
export function toSettings(form: RuleForm): RuleSettings {
  const settings = parse(ruleSettings, Object.fromEntries(RULE_NAMES.flatMap((name) => overridesOf(name, form[name]))));
  const wrong = problemOfRules(settings);
  if (wrong) throw new RefusedError(wrong.field, wrong.problem);
  return settings;
}

/** Whether a form asks for these very settings, as {@link toSettings} has made them of one. */
export function asksFor(form: RuleForm, settings: RuleSettings): boolean {
  try {
    return JSON.stringify(toSettings(form)) === JSON.stringify(settings);
  } catch {
    return false; // a field is wrong
  }
}

function overridesOf(name: RuleName, { enabled, values }: RuleFields): [RuleName, object][] {
  const defaults: Record<string, unknown> = { ...DEFAULT_RULES[name] };
  const numbers = Object.entries(values).flatMap(([field, text]) => {
    const value = Number(text.trim().replace(',', '.'));
    return text.trim() === '' || value === defaults[field] ? [] : [[field, value] as const];
  });
  const overrides = { ...Object.fromEntries(numbers), ...(enabled !== defaults.enabled && { enabled }) };
  return Object.keys(overrides).length === 0 ? [] : [[name, overrides]];
}
