import type { Rule } from '@evenkeel/stability';
import { Button, Switch, TextInput } from '@mantine/core';
import type { ReactNode } from 'react';
import { defaultFields, type RuleFields } from './rule-form.ts';
import classes from './rules.module.css';

interface Props {
  rule: Rule;
  fields: RuleFields;
  wrong: { field: string; message: string } | null;
  onEdit: (fields: RuleFields) => void;
  /** How its alerts turned out. */
  record: ReactNode;
  /** What stands beside its switch. */
  children: ReactNode;
}

/** What a rule does, whether it is on, and its limits. */
export function RuleFieldset({ rule, fields, wrong, onEdit, record, children }: Props) {
  const { name, title, what, formula, source } = rule;
  const settings = Object.entries(rule.settings);
  const isTuned = settings.some(([setting, { default: value }]) => {
    const text = fields.values[setting] ?? '';
    return text !== '' && text !== String(value);
  });
  const reset = () => onEdit(defaultFields(rule));
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
      <p>
        <strong>{title}.</strong> {what}
      </p>
      <dl className={classes.docs}>
        <dt>Formula</dt>
        <dd>{formula}</dd>
        <dt>Source</dt>
        <dd>{source}</dd>
      </dl>
      {record}
      <div className={classes.fields}>
        {settings.map(([setting, { label, unit, default: value }]) => (
          <TextInput
            key={setting}
            label={label}
            description={`${unit} · default ${value}`}
            inputMode="decimal"
            placeholder={String(value)}
            value={fields.values[setting] ?? ''}
            data-tuned={fields.values[setting] !== '' || undefined}
            error={wrong?.field === `${name}.${setting}` ? wrong.message : null}
            onChange={({ currentTarget }) =>
              onEdit({ ...fields, values: { ...fields.values, [setting]: currentTarget.value } })
            }
          />
        ))}
      </div>
    </fieldset>
  );
}
