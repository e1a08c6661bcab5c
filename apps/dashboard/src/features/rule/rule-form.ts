import { parse } from '@evenkeel/protocol';
import { RULES, type Rule, type RuleName, type RuleSettings, ruleSettings } from '@evenkeel/stability';

/** What stands in a rule's fields; an empty one leaves the default. */
export interface RuleFields {
  enabled: boolean;
  values: Record<string, string>;
}

export type RuleForm = Record<RuleName, RuleFields>;

export function toForm(settings: RuleSettings): RuleForm {
  const fields = RULES.map((rule) => [rule.name, fieldsOf(rule, settings[rule.name])]);
  return Object.fromEntries(fields) as RuleForm;
}

function fieldsOf(rule: Rule, set: Readonly<Record<string, number | boolean | undefined>> = {}): RuleFields {
  const values = Object.keys(rule.settings).map((name) => [name, set[name] === undefined ? '' : String(set[name])]);
  return { enabled: set.enabled !== false, values: Object.fromEntries(values) };
}

/** The fields of a rule for which nothing is set. */
export function defaultFields(rule: Rule): RuleFields {
  return fieldsOf(rule);
}

/**
 * The settings that a form asks for: only what differs from the defaults.
 * @throws RefusedError naming the rule and the field that is wrong, `tev-growth.criticalMargin`.
 */
export function toSettings(form: RuleForm): RuleSettings {
  return parse(ruleSettings, Object.fromEntries(RULES.flatMap((rule) => overridesOf(rule, form[rule.name]))));
}

/** Whether a form asks for these very settings, as {@link toSettings} has made them of one. */
export function asksFor(form: RuleForm, settings: RuleSettings): boolean {
  try {
    return JSON.stringify(toSettings(form)) === JSON.stringify(settings);
  } catch {
    return false; // a field is wrong
  }
}

function overridesOf(rule: Rule, { enabled, values }: RuleFields): [string, object][] {
  const numbers = Object.entries(values).flatMap(([setting, text]) => {
    const value = Number(text.trim().replace(',', '.'));
    return text.trim() === '' || value === rule.settings[setting]?.default ? [] : [[setting, value] as const];
  });
  const overrides = { ...Object.fromEntries(numbers), ...(!enabled && { enabled }) };
  return Object.keys(overrides).length === 0 ? [] : [[rule.name, overrides]];
}
