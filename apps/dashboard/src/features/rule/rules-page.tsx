'use client';

import { RefusedError, type RuleSettings } from '@evenkeel/protocol';
import { DEFAULT_RULES, type RuleName } from '@evenkeel/stability';
import { Button, Switch, TextInput } from '@mantine/core';
import { useMutation, useQueryClient, useSuspenseQuery } from '@tanstack/react-query';
import Link from 'next/link';
import { type FormEvent, useEffect, useState } from 'react';
import { useTRPC } from '../../trpc/client.tsx';
import { announce } from '../shell/announcer.tsx';
import { RULE_DOCS, RULE_NAMES } from './rule-docs.ts';
import { type RuleFields, type RuleForm, toForm, toSettings } from './rule-form.ts';
import classes from './rules.module.css';

/** The rules of a project: what each does, whether it is on, and its limits. */
export function RulesPage({ project }: { project: string }) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const query = trpc.project.rules.queryOptions({ project });
  const { data } = useSuspenseQuery(query);
  const [form, setForm] = useState<RuleForm>(() => toForm(data.settings));
  const [wrong, setWrong] = useState<RefusedError | null>(null);
  const save = useMutation(
    trpc.project.setRules.mutationOptions({
      onSuccess: (settings) => {
        queries.setQueryData(query.queryKey, { ...data, settings });
        setForm(toForm(settings));
        announce('the rules are saved');
      },
    }),
  );
  const isChanged = !isSame(form, toForm(data.settings));
  useUnsavedWarning(isChanged);

  const edit = (name: RuleName, fields: RuleFields) => {
    save.reset();
    setForm({ ...form, [name]: fields });
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const settings = settingsOr(form, setWrong);
    if (settings) save.mutate({ project, settings });
  };
  return (
    <form onSubmit={submit} noValidate className={classes.page}>
      <p className={classes.path}>
        <Link href="/">Runs</Link> / <Link href={`/?project=${encodeURIComponent(project)}`}>{project}</Link>
      </p>
      <h1>Rules of {project}</h1>
      <p className={classes.intro}>
        An empty field leaves the default. What is saved holds at once, also for runs that are under way; the alerts of
        a rule that is switched off resolve.
      </p>
      {RULE_NAMES.map((name) => (
        <RuleFieldset
          key={name}
          name={name}
          fields={form[name]}
          wrong={wrong}
          onEdit={(fields) => edit(name, fields)}
        />
      ))}
      <div className={classes.save}>
        <Button type="submit" disabled={!isChanged} loading={save.isPending}>
          Save
        </Button>
        <Button variant="default" disabled={!isChanged} onClick={() => setForm(toForm(data.settings))}>
          Undo changes
        </Button>
        <span role="status">{wordsOf({ isChanged, isSaved: save.isSuccess, wrong, error: save.error })}</span>
      </div>
    </form>
  );
}

interface FieldsetProps {
  name: RuleName;
  fields: RuleFields;
  wrong: RefusedError | null;
  onEdit: (fields: RuleFields) => void;
}

function RuleFieldset({ name, fields, wrong, onEdit }: FieldsetProps) {
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

function settingsOr(form: RuleForm, refuse: (wrong: RefusedError | null) => void): RuleSettings | null {
  try {
    const settings = toSettings(form);
    refuse(null);
    return settings;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    refuse(error);
    return null;
  }
}

interface State {
  isChanged: boolean;
  isSaved: boolean;
  wrong: RefusedError | null;
  error: { message: string } | null;
}

function wordsOf({ isChanged, isSaved, wrong, error }: State): string {
  if (wrong) return `Not saved: ${wrong.field} ${wrong.message}`;
  if (error) return `Not saved: ${error.message}`;
  if (isChanged) return 'Not saved yet';
  return isSaved ? 'Saved' : '';
}

function isSame(one: RuleForm, other: RuleForm): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}

function useUnsavedWarning(isChanged: boolean): void {
  useEffect(() => {
    if (!isChanged) return;
    const warn = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener('beforeunload', warn);
    return () => window.removeEventListener('beforeunload', warn);
  }, [isChanged]);
}
