'use client';

import { RefusedError } from '@evenkeel/protocol';
import { RULES, type RuleName, type RuleSettings } from '@evenkeel/stability';
import { Button } from '@mantine/core';
import { useMutation, useQueryClient, useSuspenseQuery } from '@tanstack/react-query';
import Link from 'next/link';
import { type FormEvent, useState } from 'react';
import { announce } from '../../components/announcer.tsx';
import { useUnsavedWarning } from '../../components/unsaved-warning.ts';
import { useTRPC } from '../../trpc/client.tsx';
import { RuleFieldset } from './rule-fieldset.tsx';
import { asksFor, type RuleFields, type RuleForm, toForm, toSettings } from './rule-form.ts';
import { RuleRecord } from './rule-record.tsx';
import { RuleTrialSection, TrialLine, TrialProgress } from './rule-trial.tsx';
import classes from './rules.module.css';
import { useRuleTrial } from './use-rule-trial.ts';

/** The rules of a project: what each does, whether it is on, its limits, and what it would have found in past runs. */
export function RulesPage({ project }: { project: string }) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const query = trpc.project.rules.queryOptions({ project });
  const { data } = useSuspenseQuery(query);
  const { data: records } = useSuspenseQuery(trpc.project.record.queryOptions({ project }));
  const [form, setForm] = useState<RuleForm>(() => toForm(data.settings));
  const [wrong, setWrong] = useState<Wrong | null>(null);
  const { trial, tryOn } = useRuleTrial(project);
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
    const settings = settingsOr(form, 'saved', setWrong);
    if (settings) save.mutate({ project, settings });
  };
  const tryThem = () => {
    const settings = settingsOr(form, 'tried', setWrong);
    if (settings) tryOn.mutate(settings);
  };
  const isOld = trial !== null && !asksFor(form, trial.settings);
  return (
    <form onSubmit={submit} noValidate className={classes.page}>
      <p className={classes.path}>
        <Link href="/">Runs</Link> / <Link href={`/?project=${encodeURIComponent(project)}`}>{project}</Link> ·{' '}
        <Link href={`/projects/${encodeURIComponent(project)}/names`}>Names</Link>
      </p>
      <h1>Rules of {project}</h1>
      <p className={classes.intro}>
        An empty field means the default. Saved settings apply at once, also to runs in progress; alerts of a rule that
        is switched off are resolved.
      </p>
      {RULES.map((rule) => (
        <RuleFieldset
          key={rule.name}
          rule={rule}
          fields={form[rule.name]}
          wrong={wrong?.refused ?? null}
          onEdit={(fields) => edit(rule.name, fields)}
          record={<RuleRecord project={project} rule={rule.name} records={records} />}
        >
          {trial && !isOld && <TrialLine rule={rule.name} runs={trial.runs} />}
        </RuleFieldset>
      ))}
      {trial && <RuleTrialSection trial={trial} isOld={isOld} />}
      <div className={classes.save}>
        <Button type="submit" disabled={!isChanged} loading={save.isPending}>
          Save
        </Button>
        <Button variant="default" disabled={!isChanged} onClick={() => setForm(toForm(data.settings))}>
          Undo changes
        </Button>
        <Button variant="default" loading={tryOn.isPending} onClick={tryThem}>
          Try on past runs
        </Button>
        <span role="status">{wordsOf({ isChanged, isSaved: save.isSuccess, wrong, error: save.error })}</span>
        <TrialProgress trial={trial} isPending={tryOn.isPending} error={tryOn.error} />
      </div>
    </form>
  );
}

/** What was asked for and not done, since a field is wrong. */
interface Wrong {
  what: 'saved' | 'tried';
  refused: RefusedError;
}

function settingsOr(form: RuleForm, what: Wrong['what'], refuse: (wrong: Wrong | null) => void): RuleSettings | null {
  try {
    const settings = toSettings(form);
    refuse(null);
    return settings;
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    refuse({ what, refused: error });
    return null;
  }
}

interface State {
  isChanged: boolean;
  isSaved: boolean;
  wrong: Wrong | null;
  error: { message: string } | null;
}

function wordsOf({ isChanged, isSaved, wrong, error }: State): string {
  if (wrong) return `Not ${wrong.what}: ${wrong.refused.field} ${wrong.refused.message}`;
  if (error) return `Not saved: ${error.message}`;
  if (isChanged) return 'Not saved yet';
  return isSaved ? 'Saved' : '';
}

function isSame(one: RuleForm, other: RuleForm): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
