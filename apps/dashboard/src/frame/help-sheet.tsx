'use client';

import { Kbd, Modal, UnstyledButton } from '@mantine/core';
import { useDisclosure, useHotkeys } from '@mantine/hooks';
import { useOfferedActions } from '../components/page-actions.ts';
import classes from './help-sheet.module.css';

const KEYS: readonly { where: string; keys: readonly (readonly [keys: readonly string[], what: string])[] }[] = [
  {
    where: 'On every page',
    keys: [
      [['?'], 'this sheet'],
      [['Ctrl', 'K'], 'find a run, a page or an action; on a Mac ⌘ K'],
      [['/'], 'the search of the page, or of all runs'],
      [['Tab'], 'from one thing to the next'],
    ],
  },
  {
    where: 'On the list of all runs',
    keys: [
      [['↑', '↓'], 'a run up, or down'],
      [['x'], 'marks the run, to compare it'],
    ],
  },
  {
    where: 'Among alerts',
    keys: [
      [['j', 'k'], 'an alert down, or up; so do ↓ and ↑'],
      [['x'], 'selects the alert'],
      [['Shift', 'x'], 'selects all from the last selected one on; so does moving with Shift'],
      [['a'], 'acknowledges the alert, or all selected ones'],
      [['t', 'f'], 'marks them as true, or as a false alarm'],
      [['n'], 'writes a note'],
      [['Enter'], 'opens the alert'],
    ],
  },
  {
    where: 'On a chart',
    keys: [
      [['←', '→'], 'a column back, or on'],
      [['PgDn', 'PgUp'], 'twenty columns back, or on'],
      [['Home', 'End'], 'the first column, the newest'],
      [['+', '−'], 'zoom in and out around the crosshair'],
      [['0'], 'all steps'],
    ],
  },
  {
    where: 'In the search of the console',
    keys: [
      [['Enter'], 'the next line that was found'],
      [['Shift', 'Enter'], 'the line before'],
    ],
  },
];

/** What the keyboard does, on `?`. */
export function HelpSheet() {
  const [opened, { open, close }] = useDisclosure();
  useHotkeys([
    ['shift+?', open],
    ['/', () => toSearch()],
  ]);
  useOfferedActions([{ name: 'Keyboard help', act: open }]);
  return (
    <>
      <UnstyledButton className={classes.open} onClick={open} aria-label="Keyboard help" title="Keyboard help (?)">
        ?
      </UnstyledButton>
      <Modal opened={opened} onClose={close} title="Keyboard" centered>
        {KEYS.map(({ where, keys }) => (
          <section key={where}>
            <h2>{where}</h2>
            <dl className={classes.keys}>
              {keys.map(([names, what]) => (
                <div key={what}>
                  <dt>
                    {names.map((name) => (
                      <Kbd key={name}>{name}</Kbd>
                    ))}
                  </dt>
                  <dd>{what}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </Modal>
    </>
  );
}

function toSearch(): void {
  const search = document.querySelector<HTMLInputElement>('input[type="search"]');
  if (search) search.focus();
  else document.querySelector<HTMLAnchorElement>('header a[href="/"]')?.click();
}
