'use client';

import type { Alert } from '@evenkeel/protocol';
import { Button } from '@mantine/core';
import { useLayoutEffect, useRef } from 'react';
import { formatCount, formatInstant } from '../../components/format.ts';
import { SeverityMark } from './alert-mark.tsx';
import { EvidenceList } from './evidence-list.tsx';
import { MARK_WORDS } from './outcome-words.ts';
import classes from './run-alerts.module.css';
import { useAlertVerbs } from './use-alert-verbs.ts';

/** A run's alerts: those that still want somebody, and folded away those that are resolved. */
export function RunAlerts({ alerts, newestAttempt }: { alerts: readonly Alert[]; newestAttempt: number }) {
  if (alerts.length === 0) return null;
  const resolved = alerts.filter(({ status }) => status === 'resolved');
  return (
    <section aria-label="Alerts">
      <ul className={classes.list}>
        {alerts.map(
          (alert) =>
            alert.status !== 'resolved' && (
              <OpenAlertItem key={alert.id} alert={alert} isOld={alert.attempt < newestAttempt} />
            ),
        )}
      </ul>
      {resolved.length > 0 && (
        <details className={classes.resolved}>
          <summary>{resolved.length} resolved</summary>
          <ul className={classes.list}>
            {resolved.map((alert) => (
              <li key={alert.id} id={`alert-${alert.id}`} className={classes.alert} data-severity={alert.severity}>
                <SeverityMark severity={alert.severity} />
                <AlertWords alert={alert} isOld={alert.attempt < newestAttempt} />
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}

function AlertWords({ alert, isOld }: { alert: Alert; isOld: boolean }) {
  return (
    <div className={classes.words}>
      <strong>
        {alert.rule} at step {formatCount(alert.step)}
        {isOld && ` of attempt ${alert.attempt}`}
      </strong>{' '}
      {alert.feedback && <em>{MARK_WORDS[alert.feedback]}</em>}{' '}
      <span title={formatInstant(alert.openedAt)}>{alert.message}</span>
      <EvidenceList alert={alert} />
    </div>
  );
}

function OpenAlertItem({ alert, isOld }: { alert: Alert; isOld: boolean }) {
  const { acknowledge, resolve, error } = useAlertVerbs();
  const item = useItemThatKeepsFocus();
  const act = (verb: typeof acknowledge | typeof resolve) => {
    item.current?.focus(); // the button that was pressed goes away
    verb.mutate({ run: alert.run, id: alert.id });
  };
  return (
    <li ref={item} id={`alert-${alert.id}`} tabIndex={-1} className={classes.alert} data-severity={alert.severity}>
      <SeverityMark severity={alert.severity} />
      <AlertWords alert={alert} isOld={isOld} />
      {error && <p role="alert">{error.message}</p>}
      <div className={classes.verbs}>
        {alert.status === 'open' ? (
          <Button size="compact-sm" variant="default" loading={acknowledge.isPending} onClick={() => act(acknowledge)}>
            Acknowledge
          </Button>
        ) : (
          <span className={classes.seen}>acknowledged</span>
        )}
        <Button size="compact-sm" variant="default" loading={resolve.isPending} onClick={() => act(resolve)}>
          Resolve
        </Button>
      </div>
    </li>
  );
}

/** An item that hands the keyboard's focus to the next one, the one before, or the page, when it goes away. */
function useItemThatKeepsFocus() {
  const ref = useRef<HTMLLIElement>(null);
  useLayoutEffect(() => {
    const item = ref.current;
    return () => {
      if (!item?.contains(document.activeElement)) return;
      const next = item.nextElementSibling ?? item.previousElementSibling ?? document.getElementById('main');
      if (next instanceof HTMLElement) next.focus();
    };
  }, []);
  return ref;
}
