'use client';

import type { AlertFeedback, AlertStatus } from '@evenkeel/protocol';
import { Button } from '@mantine/core';
import { type RefObject, useCallback, useEffect, useEffectEvent, useRef, useState } from 'react';
import { useNow } from '../../live/clock.ts';
import type { ListedAlert } from '../../trpc/client.tsx';
import classes from './inbox.module.css';
import { type InboxKey, inboxKey } from './inbox-keys.ts';
import { InboxRow } from './inbox-row.tsx';
import { NOTHING_SELECTED, nextFocus, type Selection, toggle, within } from './selection.ts';

type AlertKey = Pick<ListedAlert, 'run' | 'id'>;

interface Props {
  alerts: readonly ListedAlert[];
  /** What is listed: an alert that becomes something else leaves. */
  statuses: readonly AlertStatus[];
  isBusy: boolean;
  onAcknowledge: (chosen: AlertKey[]) => void;
  onResolve: (chosen: AlertKey[]) => void;
  /** Stays the same function. */
  onMark: (chosen: AlertKey[], feedback: AlertFeedback | null) => void;
}

/** The rows, with checkboxes and keys to choose among them, and what is done with the chosen. */
export function InboxList({ alerts, statuses, isBusy, onAcknowledge, onResolve, onMark }: Props) {
  const ids = alerts.map(({ id }) => id);
  const [chosen, setChosen] = useState(NOTHING_SELECTED);
  const [noting, setNoting] = useState<string | null>(null);
  const selection = within(chosen, ids);
  const minute = useMinute();
  const list = useRef<HTMLUListElement>(null);
  const focus = useCallback(
    (id: string) => list.current?.querySelector<HTMLElement>(`[data-alert="${id}"] [data-title]`)?.focus(),
    [],
  );

  const latestIds = useRef(ids);
  latestIds.current = ids;
  const select = useCallback(
    (id: string, isRange: boolean) => setChosen((now) => toggle(now, latestIds.current, id, isRange)),
    [],
  );
  const act = (verb: (keys: AlertKey[]) => void, becomes: AlertStatus, ofThem: readonly ListedAlert[]) => {
    if (isBusy || ofThem.length === 0) return;
    const acted = ofThem.map(({ id }) => id);
    const here = list.current?.querySelector<HTMLElement>('[data-alert]:focus-within')?.dataset.alert;
    const next = nextFocus(ids, here ?? acted[0] ?? null, new Set(statuses.includes(becomes) ? [] : acted));
    if (next) focus(next);
    else document.getElementById('main')?.focus(); // what has the focus leaves
    setChosen(NOTHING_SELECTED);
    verb(ofThem.map(({ run, id }) => ({ run, id })));
  };
  const acknowledge = (some: readonly ListedAlert[]) => act(onAcknowledge, 'acknowledged', some.filter(isOpen));
  const note = useCallback(
    (id: string, isOpen: boolean) => {
      setNoting(isOpen ? id : null);
      if (!isOpen) focus(id);
    },
    [focus],
  );
  const markOne = useCallback(
    ({ run, id }: ListedAlert, feedback: AlertFeedback | null) => onMark([{ run, id }], feedback),
    [onMark],
  );
  /** Takes the mark back where all have it. */
  const mark = (feedback: AlertFeedback, some: readonly ListedAlert[]) => {
    if (isBusy || some.length === 0) return;
    const isTakenBack = some.every((alert) => alert.feedback === feedback);
    const keys = some.map(({ run, id }) => ({ run, id }));
    onMark(keys, isTakenBack ? null : feedback);
  };
  const selected = alerts.filter(({ id }) => selection.ids.has(id));
  useKeys(list, (key, at) => {
    const here = at ?? ids[0];
    if (here === undefined) return;
    if (key.kind === 'move') {
      const next = at === null ? here : (ids[ids.indexOf(here) + key.by] ?? here);
      if (key.selects && next !== here) setChosen((now) => extend(now, ids, here, next));
      focus(next);
    } else if (key.kind === 'select') select(here, key.isRange);
    else if (key.kind === 'note') setNoting(here);
    else {
      const chosenOrHere = selected.length > 0 ? selected : alerts.filter(({ id }) => id === at);
      if (key.kind === 'mark') mark(key.feedback, chosenOrHere);
      else acknowledge(chosenOrHere);
    }
  });

  return (
    <section aria-label="List of alerts">
      <BulkBar
        shown={alerts.length}
        selected={selected}
        isBusy={isBusy}
        onAll={(all) => setChosen(all ? { ids: new Set(ids), anchor: null } : NOTHING_SELECTED)}
        onAcknowledge={() => acknowledge(selected)}
        onResolve={() => act(onResolve, 'resolved', selected.filter(isUnresolved))}
      />
      <ul ref={list} className={classes.list}>
        {alerts.map((alert) => (
          <InboxRow
            key={alert.id}
            alert={alert}
            isSelected={selection.ids.has(alert.id)}
            isNoting={noting === alert.id}
            now={minute}
            onSelect={select}
            onNote={note}
            onMark={markOne}
          />
        ))}
      </ul>
    </section>
  );
}

const isOpen = ({ status }: ListedAlert) => status === 'open';
const isUnresolved = ({ status }: ListedAlert) => status !== 'resolved';

/** Selects both ends of a move. */
function extend(now: Selection, ids: readonly string[], from: string, to: string): Selection {
  const begun = now.ids.has(from) ? now : toggle(now, ids, from, false);
  return begun.ids.has(to) ? toggle(begun, ids, from, false) : toggle(begun, ids, to, false);
}

/** The time to ten seconds, so that quiet rows are not drawn again every second; null on the server. */
function useMinute(): number | null {
  const now = useNow();
  return now === null ? null : Math.ceil(now / 10_000) * 10_000;
}

interface BulkBarProps {
  shown: number;
  selected: readonly ListedAlert[];
  isBusy: boolean;
  onAll: (all: boolean) => void;
  onAcknowledge: () => void;
  onResolve: () => void;
}

function BulkBar({ shown, selected, isBusy, onAll, onAcknowledge, onResolve }: BulkBarProps) {
  const count = selected.length;
  const open = selected.filter(isOpen).length;
  const unresolved = selected.filter(isUnresolved).length;
  return (
    <div className={classes.bar} role="toolbar" aria-label="The selected alerts">
      <label className={classes.check}>
        <input
          type="checkbox"
          aria-label={`Select all ${shown} shown`}
          checked={count === shown}
          ref={(box) => {
            if (box) box.indeterminate = count > 0 && count < shown;
          }}
          onChange={({ currentTarget }) => onAll(currentTarget.checked)}
        />
      </label>
      {count === 0 ? (
        <Hint />
      ) : (
        <>
          <strong>{count} selected</strong>
          <Button size="compact-sm" variant="default" disabled={open === 0} loading={isBusy} onClick={onAcknowledge}>
            Acknowledge {open}
          </Button>
          <Button size="compact-sm" variant="default" disabled={unresolved === 0} loading={isBusy} onClick={onResolve}>
            Resolve {unresolved}
          </Button>
          <Button size="compact-sm" variant="subtle" className={classes.clear} onClick={() => onAll(false)}>
            Clear
          </Button>
          <p className={classes.hint}>
            mark them: <MarkKeys />
          </p>
        </>
      )}
    </div>
  );
}

function Hint() {
  return (
    <>
      <span className={classes.all}>Select all</span>
      <p className={classes.hint}>
        <kbd>j</kbd> <kbd>k</kbd> move · <kbd>x</kbd> select · <kbd>shift</kbd> a range · <kbd>a</kbd> acknowledge ·{' '}
        <MarkKeys /> · <kbd>n</kbd> note · <kbd>enter</kbd> open
      </p>
    </>
  );
}

function MarkKeys() {
  return (
    <>
      <kbd>t</kbd> true · <kbd>f</kbd> false alarm
    </>
  );
}

/** Calls `act` for the inbox's keys while the focus is in the list, or nowhere; with the row that has it. */
function useKeys(list: RefObject<HTMLUListElement | null>, act: (key: InboxKey, at: string | null) => void) {
  const onKeyDown = useEffectEvent((event: KeyboardEvent) => {
    const target = event.target instanceof HTMLElement ? event.target : document.body;
    const row = list.current?.contains(target) ? target.closest<HTMLElement>('[data-alert]') : null;
    const isNowhere = target === document.body || target.id === 'main';
    if (isWritten(target) || (!row && !isNowhere)) return;
    const key = inboxKey(event);
    if (!key || (!row && event.key.startsWith('Arrow'))) return; // from nowhere, arrows scroll
    event.preventDefault();
    act(key, row?.dataset.alert ?? null);
  });
  useEffect(() => {
    document.addEventListener('keydown', onKeyDown);
    return () => document.removeEventListener('keydown', onKeyDown);
  }, []);
}

function isWritten(target: HTMLElement): boolean {
  if (target instanceof HTMLInputElement) return target.type !== 'checkbox';
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement;
}
