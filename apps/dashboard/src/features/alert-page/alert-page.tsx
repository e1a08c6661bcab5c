'use client';

import { Button, Group } from '@mantine/core';
import { useQuery, useSuspenseQuery } from '@tanstack/react-query';
import Link from 'next/link';
import { useState } from 'react';
import { formatCount, formatInstant } from '../../components/format.ts';
import { useYourName } from '../../components/your-name.tsx';
import { useLiveBoard } from '../../live/use-live.ts';
import { type ListedAlert, type RunDetail, useTRPC } from '../../trpc/client.tsx';
import { Failure } from '../../trpc/failure.tsx';
import { SeverityMark } from '../alert/alert-mark.tsx';
import { AlertNote, NoteForm } from '../alert/alert-note.tsx';
import { AlertStatusMark } from '../alert/alert-status.tsx';
import { EvidenceList } from '../alert/evidence-list.tsx';
import { FeedbackButtons } from '../alert/feedback-buttons.tsx';
import { MARK_WORDS, outcomeWords } from '../alert/outcome-words.ts';
import { useAlertVerbs } from '../alert/use-alert-verbs.ts';
import { Commands } from '../command/commands.tsx';
import classes from './alert-page.module.css';
import { Picture } from './picture.tsx';

/**
 * One alert: the picture as it was, what it saw, and what was done about it.
 * @param isSketched whether the server had the charts at hand, and has drawn them.
 */
export function AlertPage({ run: runId, id, isSketched }: { run: string; id: string; isSketched: boolean }) {
  const trpc = useTRPC();
  const { data: alert } = useSuspenseQuery(trpc.alert.get.queryOptions({ run: runId, id }));
  const { data: run } = useSuspenseQuery(trpc.run.get.queryOptions({ run: runId }));
  useLiveBoard(() => undefined);
  return (
    <article id={`alert-${id}`} className={classes.page}>
      <Header alert={alert} />
      <p className={classes.message}>{alert.message}</p>
      <EvidenceList alert={alert} />
      <section aria-label="The picture as it was">
        <Caption alert={alert} run={run} />
        <Picture alert={alert} isSketched={isSketched} />
      </section>
      <Feedback alert={alert} />
      <Note alert={alert} />
      <Done alert={alert} run={run} />
    </article>
  );
}

function Header({ alert }: { alert: ListedAlert }) {
  const { run, id, rule, severity, status, step, attempt, runName, project } = alert;
  const { acknowledge, resolve, error } = useAlertVerbs();
  return (
    <header>
      <p className={classes.where}>
        <Link href="/alerts">Alerts</Link> /{' '}
        <Link href={`/alerts?project=${encodeURIComponent(project)}&status=all`}>{project}</Link> /{' '}
        <Link href={`/runs/${run}`}>{runName}</Link>
      </p>
      <div className={classes.title} data-severity={severity}>
        <SeverityMark severity={severity} />
        <span className={classes.severity}>{severity}</span>
        <h1>
          {rule} at step {formatCount(step)}
          {attempt > 1 && ` of attempt ${attempt}`}
        </h1>
        <AlertStatusMark status={status} />
        <Group gap="xs" ml="auto">
          {status === 'open' && (
            <Button
              size="compact-sm"
              variant="default"
              loading={acknowledge.isPending}
              onClick={() => acknowledge.mutate({ run, id })}
            >
              Acknowledge
            </Button>
          )}
          {status !== 'resolved' && (
            <Button
              size="compact-sm"
              variant="default"
              loading={resolve.isPending}
              onClick={() => resolve.mutate({ run, id })}
            >
              Resolve
            </Button>
          )}
        </Group>
      </div>
      <Failure what="It stays as it was" error={error} />
    </header>
  );
}

function Caption({ alert: { attempt, window }, run }: { alert: ListedAlert; run: RunDetail }) {
  const later = run.attempts.find(({ number, firstStep }) => number > attempt && firstStep !== null);
  return (
    <p className={classes.caption}>
      The run up to step {formatCount(window[1])}, as attempt {attempt} had it; shaded is what the rule looked at.
      {later && ` Attempt ${later.number}, which began later at step ${formatCount(later.firstStep)}, is left out.`}
    </p>
  );
}

/** What became of the run, and whether a person calls the alert right. */
function Feedback({ alert }: { alert: ListedAlert }) {
  const { mark } = useAlertVerbs();
  const [by] = useYourName();
  const { run, id, rule } = alert;
  const outcome = outcomeWords(alert);
  return (
    <section className={classes.section} aria-label="Feedback">
      <h2>Feedback</h2>
      {outcome && <p className={classes.caption}>{outcome}</p>}
      <FeedbackButtons
        alert={alert}
        about={rule}
        onMark={(feedback) => mark.mutate({ alerts: [{ run, id }], feedback, by })}
      />
      <Failure what="Not marked" error={mark.error} />
    </section>
  );
}

function Note({ alert }: { alert: ListedAlert }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <section className={classes.section} aria-label="Note">
      <h2>Note</h2>
      {isOpen ? <NoteForm alert={alert} onClose={() => setOpen(false)} /> : <AlertNote alert={alert} />}
      {!isOpen && (
        <Button size="compact-sm" variant="default" mt={6} onClick={() => setOpen(true)}>
          {alert.note === null ? 'Add a note' : 'Edit the note'}
        </Button>
      )}
    </section>
  );
}

/** What became of the alert, and the commands that answered it. */
function Done({ alert, run }: { alert: ListedAlert; run: RunDetail }) {
  const request = { run: alert.run, alert: alert.id };
  const commands = useQuery(useTRPC().run.commands.queryOptions(request)).data ?? [];
  const { openedAt, acknowledgedAt, resolvedAt, feedback, feedbackBy, feedbackAt } = alert;
  const events = [
    ['opened', openedAt] as const,
    ['acknowledged', acknowledgedAt] as const,
    ['resolved', resolvedAt] as const,
    [feedback && `${MARK_WORDS[feedback]} by ${feedbackBy ?? 'somebody'}`, feedbackAt] as const,
  ];
  return (
    <section className={classes.section} aria-label="What was done">
      <h2>What was done</h2>
      <ol className={classes.events}>
        {events.map(
          ([what, at]) =>
            at && (
              <li key={what}>
                {what} <time dateTime={at.toISOString()}>{formatInstant(at)}</time>
              </li>
            ),
        )}
      </ol>
      {commands.length === 0 && <p className={classes.caption}>No command answered it.</p>}
      <Commands commands={commands} newestAttempt={run.attempts.at(-1)?.number ?? 1} />
    </section>
  );
}
