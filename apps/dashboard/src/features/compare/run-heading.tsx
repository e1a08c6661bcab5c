import Link from 'next/link';
import { RunSwatch } from '../run/run-swatch.tsx';
import classes from './compare.module.css';
import type { ComparedRun } from './use-compared.ts';

/** Says which run a row or a column is about, the same everywhere on the page. */
export function RunHeading({ run: { id, number, look, run } }: { run: ComparedRun }) {
  return (
    <span className={classes.run} title={run.name}>
      <RunSwatch run={id} look={look} />
      <span className={classes.number}>{number}</span>
      <Link href={`/runs/${id}`} prefetch={false}>
        {run.name}
      </Link>
    </span>
  );
}
