import type { RuleName } from '@evenkeel/stability';
import Link from 'next/link';
import type { AlertRecord } from '../../trpc/client.tsx';
import { recordWords } from './record-words.ts';
import classes from './rules.module.css';

interface Props {
  project: string;
  rule: RuleName;
  /** Of all rules. */
  records: readonly AlertRecord[];
}

/** How a rule's alerts in the project turned out, by severity. */
export function RuleRecord({ project, rule, records }: Props) {
  const own = records.filter((record) => record.rule === rule);
  if (own.length === 0) return <p className={classes.record}>No alerts in this project yet.</p>;
  const search = new URLSearchParams({ status: 'all', rule, project });
  return (
    <ul className={classes.record} aria-label={`Record of ${rule}`}>
      {own.map((record) => (
        <li key={record.severity} data-severity={record.severity}>
          {recordWords(record)}
        </li>
      ))}
      <li>
        <Link href={`/alerts?${search}`} prefetch={false}>
          See these alerts
        </Link>
      </li>
    </ul>
  );
}
