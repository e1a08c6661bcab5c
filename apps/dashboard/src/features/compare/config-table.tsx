'use client';

import { memo, useMemo } from 'react';
import classes from './compare.module.css';
import { differencesOf } from './differences.ts';
import { RunHeading } from './run-heading.tsx';
import type { ComparedRun } from './use-compared.ts';

/** In what the runs' configurations differ: that is what one compares runs for. */
export const ConfigTable = memo(function ConfigTable({ runs }: { runs: readonly ComparedRun[] }) {
  const differences = useMemo(() => differencesOf(runs.map(({ run }) => run.config)), [runs]);
  return (
    <section className={classes.section}>
      <h2>Differences in the config</h2>
      {runs.length < 2 && <p className={classes.note}>Add another run to see in what the two differ.</p>}
      {runs.length > 1 && differences.length === 0 && <p className={classes.note}>The configs are equal.</p>}
      {differences.length > 0 && (
        // biome-ignore lint/a11y/noNoninteractiveTabindex: so that the keyboard can scroll it
        <section className={classes.scroll} aria-label="Differences in the config" tabIndex={0}>
          <table className={classes.table}>
            <thead>
              <tr>
                <th scope="col">Key</th>
                {runs.map((run) => (
                  <th key={run.id} scope="col">
                    <RunHeading run={run} />
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {differences.map(({ name, values }) => (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  {runs.map(({ id }, at) => (
                    <td key={id} title={values[at] ?? 'not set'}>
                      {values[at] ?? '–'}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </section>
      )}
    </section>
  );
});
