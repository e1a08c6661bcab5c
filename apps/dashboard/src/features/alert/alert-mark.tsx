import type { OpenAlert, Severity } from '@evenkeel/protocol';
import { formatCount } from '../../format.ts';
import classes from './alert-mark.module.css';

/** A severity's own shape: warnings are triangles, critical alerts are filled diamonds. */
export function SeverityMark({ severity }: { severity: Severity }) {
  return (
    <svg className={classes.mark} data-severity={severity} viewBox="0 0 12 12" width="12" height="12" role="img">
      <title>{severity}</title>
      <path d={severity === 'critical' ? 'M6 .8 11.2 6 6 11.2.8 6z' : 'M6 1.6 11 10.4H1z'} />
    </svg>
  );
}

export function AlertMark({ alert }: { alert: OpenAlert }) {
  return (
    <span className={classes.alert} data-severity={alert.severity}>
      <SeverityMark severity={alert.severity} />
      {alert.rule}
      <span className={classes.step}>step {formatCount(alert.step)}</span>
    </span>
  );
}
