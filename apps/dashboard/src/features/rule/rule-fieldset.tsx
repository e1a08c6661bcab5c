import { DEFAULT_RULES, type RuleName } from '@evenkeel/stability';
import { Button, Switch, TextInput } from '@mantine/core';
import type { ReactNode } from 'react';
import { RULE_DOCS } from './rule-docs.ts';
import { type RuleFields, toForm } from './rule-form.ts';
import classes from './rules.module.css';

interface Props {
  name: RuleName;
  fields: RuleFields;
  wrong: { field: string; message: string } | null;
  onEdit: (fields: RuleFields) => void;
  /** What stands beside its switch. */
  children: ReactNode;
}

/** What a rule does, whether it is on, and its limits. */
export function RuleFieldset({ name, fields, wrong, onEdit, children }: Props) {
  const { what, formula, source } = RULE_DOCS[name];
  const docs: [string, { label: string; unit: string }][] = Object.entries(RULE_DOCS[name].fields);
  const defaults: Record<string, unknown> = { ...DEFAULT_RULES[name] };
  const isTuned = Object.entries(fields.values).some(
    ([field, text]) => text !== '' && text !== String(defaults[field]),
  );
  const reset = () => onEdit({ enabled: DEFAULT_RULES[name].enabled, values: toForm({})[name].values });
  return (
    <fieldset className={classes.rule} data-enabled={fields.enabled}>
      <legend>
        <h2>{name}</h2>
      </legend>
      <div className={classes.head}>
        <Switch
          label={fields.enabled ? 'on' : 'off'}
          aria-label={`${name} is on`}
          checked={fields.enabled}
          onChange={({ currentTarget }) => onEdit({ ...fields, enabled: currentTarget.checked })}
        />
        {(isTuned || !fields.enabled) && (
          <Button size="compact-xs" variant="default" onClick={reset}>
            Back to defaults
          </Button>
        )}
        {children}
      </div>
      <p>{what}</p>
      <dl className={classes.docs}>
        <dt>Formula</dt>
        <dd>{formula}</dd>
        <dt>Source</dt>
        <dd>{source}</dd>
      </dl>
      <div className={classes.fields}>
        {docs.map(([field, { label, unit }]) => (
          <TextInput
            key={field}
            label={label}
            description={`${unit} · default ${defaults[field]}`}
            inputMode="decimal"
            placeholder={String(defaults[field])}
            value={fields.values[field] ?? ''}
            data-tuned={fields.values[field] !== '' || undefined}
            error={wrong?.field === `${name}.${field}` ? wrong.message : null}
            onChange={({ currentTarget: { value } }) =>
              onEdit({ ...fields, values: { ...fields.values, [field]: value } })
            }
          />
        ))}
      </div>
    </fieldset>
  );
}
