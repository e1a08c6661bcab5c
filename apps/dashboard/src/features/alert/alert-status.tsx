import type { AlertStatus } from '@evenkeel/protocol';
import { Shape, type ShapeName } from '../../components/shape.tsx';
import classes from './alert-status.module.css';

const SHAPES: Record<AlertStatus, ShapeName> = { open: 'call', acknowledged: 'eye', resolved: 'tick' };

export function AlertStatusMark({ status }: { status: AlertStatus }) {
  return (
    <span className={classes.status} data-status={status}>
      <Shape name={SHAPES[status]} />
      {status}
    </span>
  );
}
