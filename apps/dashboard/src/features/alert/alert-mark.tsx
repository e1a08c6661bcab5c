import type { OpenAlert, Severity } from '@evenkeel/protocol';
import { formatCount } from '../../components/format.ts';
import { Shape } from '../../components/shape.tsx';
import classes from './alert-mark.module.css';

/** Warnings are triangles, critical alerts are filled diamonds. */
export function SeverityMark({ severity }: { severity: Severity }) {
  return (
    <span className={classes.mark} data-severity={severity} role="img" aria-label={severity}>
      <Shape name={severity === 'critical' ? 'diamond' : 'triangle'} />
    </span>
  );
}

/** Its parts are named, so that a narrow place can leave some of them out. */
export function AlertMark({ alert: { rule, severity, step } }: { alert: OpenAlert }) {
  return (
    <span className={classes.alert} data-severity={severity} title={`${rule} at step ${formatCount(step)}`}>
      <SeverityMark severity={severity} />
      <span data-part="rule" className={classes.rule}>
        {rule}
      </span>
      <span data-part="step" className={classes.step}>
        step {formatCount(step)}
      </span>
    </span>
  );
}
