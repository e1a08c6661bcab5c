import type { RunStatus } from '@evenkeel/protocol';
import classes from './run-status.module.css';

// Each status has a shape of its own, so that none is told by colour alone.
const SHAPES: Record<RunStatus, string> = {
  running: 'M3 2.2v7.6L9.8 6z',
  finished: 'M1.8 6.4 4.6 9.2 10.2 2.8',
  stopped: 'M2.6 2.6h6.8v6.8H2.6z',
  failed: 'M2.4 2.4l7.2 7.2M9.6 2.4 2.4 9.6',
  lost: 'M6 1.8a4.2 4.2 0 1 0 .01 0z',
};

export function RunStatusMark({ status }: { status: RunStatus }) {
  return (
    <span className={classes.status} data-status={status}>
      <svg viewBox="0 0 12 12" width="12" height="12" aria-hidden="true">
        <path d={SHAPES[status]} />
      </svg>
      {status}
    </span>
  );
}
