import Link from 'next/link';
import type { ReactNode } from 'react';
import { Announcer } from '../components/announcer.tsx';
import { Palette } from '../features/palette/palette.tsx';
import { ConnectionBadge } from '../live/connection-badge.tsx';
import { ExactCopy } from './exact-copy.tsx';
import classes from './frame.module.css';
import { HelpSheet } from './help-sheet.tsx';
import { MlflowLinks } from './mlflow-links.tsx';

/** What stands around every page. */
export function Frame({ children }: { children: ReactNode }) {
  return (
    <>
      <a href="#main" className={classes.skip}>
        Skip to the content
      </a>
      <header className={classes.header}>
        <Link href="/" className={classes.home}>
          <Mark />
          Evenkeel
        </Link>
        <nav aria-label="Pages" className={classes.pages}>
          <Link href="/alerts">Alerts</Link>
        </nav>
        <ConnectionBadge />
        <Palette />
        <HelpSheet />
      </header>
      <main id="main" tabIndex={-1} className={classes.main}>
        {children}
      </main>
      <Announcer />
      <ExactCopy />
      <MlflowLinks />
    </>
  );
}

/** A hull upright on the waterline. */
function Mark() {
  return (
    <svg
      viewBox="0 0 24 24"
      width="20"
      height="20"
      aria-hidden="true"
      fill="none"
      stroke="currentColor"
      strokeWidth="2"
    >
      <path d="M1.5 11h21" />
      <path d="M5 11c0 5 3 8 7 8s7-3 7-8" />
      <path d="M12 3v20" />
    </svg>
  );
}
