'use client';

import { MAX_KEPT_CONSOLE_LINES } from '@evenkeel/protocol';
import { Button } from '@mantine/core';
import { useSearchParams } from 'next/navigation';
import { createSerializer, useQueryState } from 'nuqs';
import {
  type MouseEvent,
  type RefObject,
  useCallback,
  useDeferredValue,
  useEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import { formatCount } from '../../components/format.ts';
import { Message } from '../../components/message.tsx';
import { useOfferedActions } from '../../components/page-actions.ts';
import { Toggle } from '../../components/toggle.tsx';
import { parseAsText } from '../../components/url-parsers.ts';
import type { ConsoleLines, RunDetail } from '../../trpc/client.tsx';
import classes from './console.module.css';
import { ConsoleBlock } from './console-block.tsx';
import { findLines, keyOf, toBlocks } from './console-lines.ts';
import { ConsoleSearch } from './console-search.tsx';
import { SaveConsole } from './save-console.tsx';
import { useConsole } from './use-console.ts';
import { useFollow } from './use-follow.ts';

interface Props {
  run: Pick<RunDetail, 'id' | 'name' | 'status'>;
  /** Whether it is what the page is read for first. */
  isFirst: boolean;
}

/** What a run's program has written to its console. Nothing where nothing was kept. */
export function ConsolePanel({ run, isFirst }: Props) {
  const [isWhole, setWhole] = useState(false);
  const { data, last, whole } = useConsole(run.id, isWhole);
  if (last.error && !data) {
    return (
      <Message
        title="The console output could not be read"
        action={<Button onClick={() => last.refetch()}>Try again</Button>}
      >
        {last.error.message}.
      </Message>
    );
  }
  if (!data || data.total === 0) return null;
  return (
    <Output
      run={run}
      isFirst={isFirst}
      output={data}
      error={whole.error}
      onWhole={() => setWhole(true)}
      onRetry={() => whole.refetch()}
    />
  );
}

interface OutputProps extends Props {
  /** All lines that are kept, or the last of them. */
  output: ConsoleLines;
  /** Why not all of them could be read. */
  error: { message: string } | null;
  /** Asks for all lines, once. */
  onWhole: () => void;
  onRetry: () => void;
}

function Output({ run, isFirst, output, error, onWhole, onRetry }: OutputProps) {
  const { lines, total, hasMore: isPart } = output;
  const [linked, setLinked] = useQueryState('line', parseAsText);
  const [words, setWords] = useState('');
  const [isWrapped, setWrapped] = useState(true);
  const scroller = useRef<HTMLElement>(null);
  const follow = useFollow(scroller);
  const blocks = useMemo(() => toBlocks(lines), [lines]);
  const sought = useDeferredValue(words);
  const matches = useMemo(() => findLines(lines, sought), [lines, sought]);
  const marked = useMemo(() => new Set(matches), [matches]);
  useLinkedLine({ scroller, linked, lines, isPart, onWhole, onShown: follow.leave });
  const link = useCallback((key: string) => void setLinked(key), [setLinked]);
  const hrefOf = useLineAddress();
  // The address takes it without a new page.
  const onLink = useCallback(
    (key: string, event: MouseEvent) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      link(key);
    },
    [link],
  );
  useOfferedActions([{ name: 'Go to the console', act: () => scroller.current?.scrollIntoView({ block: 'center' }) }]);
  const search = (next: string) => {
    setWords(next);
    if (next !== '' && isPart) onWhole();
  };
  return (
    <section className={classes.panel} aria-labelledby="console" data-first={isFirst || undefined}>
      <div className={classes.toolbar}>
        <h2 id="console">Console</h2>
        <span>{formatCount(Math.min(total, MAX_KEPT_CONSOLE_LINES))} lines</span>
        <ConsoleSearch words={words} matches={matches} current={linked} onSearch={search} onGo={link} />
        <span className={classes.buttons}>
          {run.status === 'running' && (
            <Toggle isOn={follow.isFollowing} onClick={follow.join} title="Stay at the newest line">
              Follow
            </Toggle>
          )}
          <Toggle isOn={isWrapped} onClick={() => setWrapped(!isWrapped)} title="Break long lines">
            Wrap
          </Toggle>
          <SaveConsole run={run} />
        </span>
      </div>
      <section
        ref={scroller}
        className={classes.lines}
        aria-label="Console output"
        data-wrapped={isWrapped || undefined}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: so that the keyboard can scroll it
        tabIndex={0}
        onScroll={follow.onScroll}
      >
        <div>
          {isPart && error && <p role="alert">Not all lines could be read: {error.message}.</p>}
          {isPart && (
            <button type="button" className={classes.more} onClick={error ? onRetry : onWhole}>
              {error ? 'Try again to show' : 'Show'} all {formatCount(Math.min(total, MAX_KEPT_CONSOLE_LINES))} lines
            </button>
          )}
          {!isPart && total >= MAX_KEPT_CONSOLE_LINES && (
            <p>The newest {formatCount(MAX_KEPT_CONSOLE_LINES)} lines are kept.</p>
          )}
          {blocks.map((block) => (
            <ConsoleBlock
              key={block.key}
              block={block}
              linked={linked}
              marked={marked}
              hrefOf={hrefOf}
              onLink={onLink}
            />
          ))}
        </div>
      </section>
    </section>
  );
}

const serializeLine = createSerializer({ line: parseAsText });

/** The address of a line by its key, with all else that the page's address has; the same function until that changes. */
function useLineAddress(): (key: string) => string {
  const others = serializeLine(useSearchParams(), { line: null });
  return useCallback((line) => serializeLine(others, { line }), [others]);
}

interface Linked {
  scroller: RefObject<HTMLElement | null>;
  linked: string | null;
  lines: ConsoleLines['lines'];
  isPart: boolean;
  onWhole: () => void;
  onShown: () => void;
}

/** Brings the line of the address into view, as the page opens and when it changes. */
function useLinkedLine({ scroller, linked, lines, isPart, onWhole, onShown }: Linked): void {
  const shown = useRef<string | null>(null);
  const hasOpened = useRef(false);
  useEffect(() => {
    if (linked === shown.current) return;
    const isThere = linked !== null && lines.some((line) => keyOf(line) === linked);
    if (linked !== null && !isThere && isPart) return onWhole(); // and then again
    if (isThere) {
      onShown();
      const block = hasOpened.current ? 'nearest' : 'center';
      scroller.current?.querySelector(`[data-line="${linked}"]`)?.scrollIntoView({ block });
    }
    hasOpened.current = true;
    shown.current = linked;
  }, [scroller, linked, lines, isPart, onWhole, onShown]);
}
