'use client';

import { TextInput } from '@mantine/core';
import { type KeyboardEvent, useEffect, useEffectEvent, useRef } from 'react';
import { formatCount } from '../../components/format.ts';
import { Toggle } from '../../components/toggle.tsx';
import classes from './console.module.css';
import { nextMatch } from './console-lines.ts';

interface Props {
  words: string;
  /** Keys of the lines that have them, in order. */
  matches: readonly string[];
  /** The line of the address. */
  current: string | null;
  onSearch: (words: string) => void;
  onGo: (key: string) => void;
}

/** Finds lines; Enter goes to the next of them, with Shift to the one before. */
export function ConsoleSearch({ words, matches, current, onSearch, onGo }: Props) {
  const wanted = useRef<1 | -1 | null>(null); // which way to go once something is found
  const go = (step: 1 | -1) => {
    const next = nextMatch(matches, current, step);
    wanted.current = next === undefined ? step : null;
    if (next !== undefined) onGo(next);
  };
  const goAsWanted = useEffectEvent(() => {
    if (wanted.current !== null) go(wanted.current);
  });
  // biome-ignore lint/correctness/useExhaustiveDependencies: lines were found, maybe once all were read
  useEffect(goAsWanted, [matches]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key !== 'Enter') return;
    event.preventDefault();
    go(event.shiftKey ? -1 : 1);
  };
  return (
    <span className={classes.search}>
      <TextInput
        type="search"
        size="xs"
        aria-label="Find in the console"
        aria-keyshortcuts="/"
        placeholder="Find"
        value={words}
        onChange={({ currentTarget: { value } }) => {
          wanted.current = null;
          onSearch(value);
        }}
        onKeyDown={onKeyDown}
      />
      {words !== '' && (
        <>
          <span role="status">{foundWords(matches, current)}</span>
          <Toggle isOn={false} aria-label="Line before" onClick={() => go(-1)}>
            ↑
          </Toggle>
          <Toggle isOn={false} aria-label="Next line" onClick={() => go(1)}>
            ↓
          </Toggle>
        </>
      )}
    </span>
  );
}

function foundWords(matches: readonly string[], current: string | null): string {
  const at = current === null ? -1 : matches.indexOf(current);
  return at < 0 ? `${formatCount(matches.length)} found` : `${formatCount(at + 1)} of ${formatCount(matches.length)}`;
}
