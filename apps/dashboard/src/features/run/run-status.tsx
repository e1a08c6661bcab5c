import type { RunStatus } from '@evenkeel/protocol';
import { Shape, type ShapeName } from '../../components/shape.tsx';
import classes from './run-status.module.css';

const SHAPES: Record<RunStatus, ShapeName> = {
  running: 'play',
  finished: 'tick',
  stopped: 'square',
  failed: 'cross',
  lost: 'circle',
};

export function RunStatusMark({ status }: { status: RunStatus }) {
  return (
    <span className={classes.status} data-status={status}>
      <Shape name={SHAPES[status]} />
      {status}
    </span>
  );
}
