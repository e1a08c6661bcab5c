'use client';

import type { AlertFeedback } from '@evenkeel/protocol';
import Link from 'next/link';
import { memo } from 'react';
import { formatCount, formatDuration, formatInstant } from '../../components/format.ts';
import type { ListedAlert } from '../../trpc/client.tsx';
import { SeverityMark } from '../alert/alert-mark.tsx';
import { AlertNote, NoteForm } from '../alert/alert-note.tsx';
import { AlertStatusMark } from '../alert/alert-status.tsx';
import { FeedbackButtons } from '../alert/feedback-buttons.tsx';
import classes from './inbox.module.css';

interface Props {
  alert: ListedAlert;
  isSelected: boolean;
  isNoting: boolean;
  /** Coarse; null on the server. */
  now: number | null;
  onSelect: (id: string, isRange: boolean) => void;
  /** Opens the form for its note, or closes it. */
  onNote: (id: string, isOpen: boolean) => void;
  onMark: (alert: ListedAlert, feedback: AlertFeedback | null) => void;
}

export const InboxRow = memo(function InboxRow(props: Props) {
  const { alert, isSelected, isNoting, now, onSelect, onNote, onMark } = props;
  const { id, run, rule, severity, status, step, attempt, message, openedAt, runName, project } = alert;
  const about = `${rule} of ${runName}`;
  const noteVerb = alert.note === null ? 'Add note' : 'Edit note';
  return (
    <li
      className={classes.row}
      data-alert={id}
      data-severity={severity}
      data-status={status}
      data-selected={isSelected || undefined}
    >
      <label className={classes.check} onMouseDown={(event) => event.shiftKey && event.preventDefault()}>
        <input
          type="checkbox"
          aria-label={`Select ${about}`}
          checked={isSelected}
          onChange={({ nativeEvent }) => onSelect(id, (nativeEvent as MouseEvent).shiftKey === true)}
        />
      </label>
      <div className={classes.what}>
        <SeverityMark severity={severity} />
        <span className={classes.severity}>{severity}</span>
        <Link href={`/alerts/${run}/${id}`} prefetch={false} data-title>
          {rule} at step {formatCount(step)}
        </Link>
      </div>
      <div className={classes.whose}>
        <Link href={`/runs/${run}`} prefetch={false}>
          {runName}
        </Link>{' '}
        <span>
          {project}
          {attempt > 1 && ` · attempt ${attempt}`}
        </span>
      </div>
      <AlertStatusMark status={status} />
      <time className={classes.age} dateTime={openedAt.toISOString()} title={formatInstant(openedAt)}>
        {now !== null && `${formatDuration(now - openedAt.getTime())} ago`}
      </time>
      <button
        type="button"
        className={classes.quiet}
        aria-expanded={isNoting}
        aria-label={`${noteVerb} on ${about}`}
        onClick={() => onNote(id, !isNoting)}
      >
        {noteVerb}
      </button>
      <p className={classes.message}>{message}</p>
      <div className={classes.feedback}>
        <FeedbackButtons alert={alert} about={about} onMark={(feedback) => onMark(alert, feedback)} />
      </div>
      <div className={classes.noted}>
        {isNoting ? <NoteForm alert={alert} onClose={() => onNote(id, false)} /> : <AlertNote alert={alert} />}
      </div>
    </li>
  );
});
