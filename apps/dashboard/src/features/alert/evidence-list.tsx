import type { Alert } from '@evenkeel/protocol';
import { factsOf } from './evidence.ts';
import classes from './evidence-list.module.css';

/** What an alert saw, each number rounded, and exact on hover. */
export function EvidenceList({ alert }: { alert: Alert }) {
  return (
    <dl className={classes.evidence}>
      {factsOf(alert).map(({ name, value, exact }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd title={exact}>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
