'use client';

import type { CommandStatus } from '@evenkeel/protocol';
import { formatCount, formatInstant } from '../../format.ts';
import type { RunCommand } from '../../trpc/client.tsx';
import classes from './command.module.css';
import { nameOf } from './command-kinds.ts';

// Each status has a shape of its own, so that none is told by colour alone.
const SHAPES: Record<CommandStatus, string> = {
  pending: 'M6 1.8a4.2 4.2 0 1 0 .01 0zM6 3.6V6l1.8 1.2',
  acknowledged: 'M2 6h7M6.4 3.2 9.2 6 6.4 8.8',
  done: 'M1.8 6.4 4.6 9.2 10.2 2.8',
  failed: 'M2.4 2.4l7.2 7.2M9.6 2.4 2.4 9.6',
  expired: 'M2 6h8',
};

const STATES: Record<CommandStatus, string> = {
  pending: 'the trainer has not answered yet',
  acknowledged: 'the trainer has been told',
  done: 'done',
  failed: 'failed',
  expired: 'the attempt ended before it was told',
};

/** What the run was told to do: by whom, when, why, and what came of it. Nothing where it was told nothing. */
export function Commands({ commands, newestAttempt }: { commands: readonly RunCommand[]; newestAttempt: number }) {
  if (commands.length === 0) return null;
  return (
    <section aria-label="Commands">
      <h2>Commands</h2>
      <ul className={classes.list}>
        {commands.map((command) => (
          <CommandItem key={command.id} command={command} isOld={command.attempt < newestAttempt} />
        ))}
      </ul>
    </section>
  );
}

function CommandItem({ command, isOld }: { command: RunCommand; isOld: boolean }) {
  const { status, by, alert, step, attempt, createdAt, reason, result, error } = command;
  return (
    <li className={classes.command} data-status={status}>
      <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
        <path d={SHAPES[status]} />
      </svg>
      <div>
        <p>
          <strong>{nameOf(command)}</strong> by {alert ? <a href={`#alert-${alert}`}>{by}</a> : (by ?? 'somebody')}
          {step !== null && ` at step ${formatCount(step)}`}
          {isOld && ` of attempt ${attempt}`}
          <time dateTime={createdAt.toISOString()}> · {formatInstant(createdAt)}</time>
        </p>
        <p className={classes.why}>{reason}</p>
        <p>
          <span className={classes.state}>{STATES[status]}</span>
          {(error ?? result) && `: ${error ?? result}`}
        </p>
      </div>
    </li>
  );
}
