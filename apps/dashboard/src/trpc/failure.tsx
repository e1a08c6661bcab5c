'use client';

import classes from './failure.module.css';
import { isSignedOut } from './query-client.ts';

/** Why something was not done, and what to do about it. Nothing where it was. */
export function Failure({ what, error }: { what: string; error: { message: string } | null }) {
  if (!error) return null;
  return (
    <p role="alert" className={classes.failure}>
      {what}: {error instanceof Error && isSignedOut(error) ? <SignInAgain /> : `${error.message}. Try again.`}
    </p>
  );
}

/** Only ever shown after somebody has acted, and so never on the server. */
function SignInAgain() {
  const here = window.location.pathname + window.location.search;
  return (
    <>
      you are signed out. <a href={`/signin?next=${encodeURIComponent(here)}`}>Sign in</a> and try again.
    </>
  );
}
