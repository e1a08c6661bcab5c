import type { AlertStatus } from '@evenkeel/protocol';
import classes from './alert-status.module.css';

// Each status has a shape of its own, so that none is told by colour alone.
const SHAPES: Record<AlertStatus, string> = {
  open: 'M6 1.8a4.2 4.2 0 1 0 .01 0zM6 3.6v3M6 8.1v.6',
  acknowledged: 'M.9 6C3 2.4 9 2.4 11.1 6 9 9.6 3 9.6 .9 6zM6 4.9a1.1 1.1 0 1 0 .01 0z',
  resolved: 'M1.8 6.4 4.6 9.2 10.2 2.8',
};

export function AlertStatusMark({ status }: { status: AlertStatus }) {
  return (
    <span className={classes.status} data-status={status}>
      <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
        <path d={SHAPES[status]} />
      </svg>
      {status}
    </span>
  );
}
