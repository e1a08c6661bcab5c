import { Button } from '@mantine/core';
import classes from './compare.module.css';

/** What of some runs' steps could not be read; the others are drawn all the same. */
export function ReadError({ error }: { error: { message: string; retry: () => void } | null | undefined }) {
  if (!error) return null;
  return (
    <p role="alert" className={classes.notices}>
      Some steps could not be read: {error.message}.{' '}
      <Button size="compact-xs" variant="default" onClick={error.retry}>
        Try again
      </Button>
    </p>
  );
}
