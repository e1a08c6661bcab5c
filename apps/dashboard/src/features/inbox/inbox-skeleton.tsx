import classes from './inbox.module.css';

const ROWS = ['a', 'b', 'c', 'd', 'e'];

/** The place of the list while it is being read. */
export function InboxSkeleton() {
  return (
    <div className={classes.skeleton} role="status" aria-label="The alerts are being read">
      {ROWS.map((row) => (
        <div key={row} />
      ))}
    </div>
  );
}
