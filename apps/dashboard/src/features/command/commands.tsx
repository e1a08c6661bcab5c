'use client';

import type { CommandStatus } from '@evenkeel/protocol';
import { formatCount, formatInstant } from '../../components/format.ts';
import { Shape, type ShapeName } from '../../components/shape.tsx';
import type { RunCommand } from '../../trpc/client.tsx';
import classes from './command.module.css';
import { nameOf } from './command-kinds.ts';

const SHAPES: Record<CommandStatus, ShapeName> = {
  pending: 'clock',
  acknowledged: 'arrow',
  done: 'tick',
  failed: 'cross',
  expired: 'dash',
};

const STATES: Record<CommandStatus, string> = {
  pending: 'the trainer has not answered yet',
  acknowledged: 'the trainer has received it',
  done: 'done',
  failed: 'failed',
  expired: 'the attempt ended before the trainer received it',
};

/** The run's commands: by whom, when, why, and their result. Nothing where there are none. */
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
      <Shape name={SHAPES[status]} />
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
