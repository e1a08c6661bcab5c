'use client';

import { defaultRangeExtractor, type Range, useVirtualizer, type VirtualItem } from '@tanstack/react-virtual';
import { useQueryState } from 'nuqs';
import { Fragment, useEffect, useRef } from 'react';
import { useNow } from '../../live/clock.ts';
import { BOARD_PARAMS, type BoardRequest, nextSort, type Sort } from '../run/list-request.ts';
import classes from './board.module.css';
import { BOARD_COLUMNS, type BoardColumn } from './board-columns.ts';
import { type RowKeys, useRowKeys } from './board-keys.ts';
import type { BoardLayout } from './board-layout.ts';
import { BoardRow, GroupHeading, UnreadRow } from './board-row.tsx';
import { useRuns } from './board-runs.ts';
import { useKeptScroll } from './board-scroll.ts';

/** Pixels, as in board.module.css. */
const ROW_HEIGHT = 36;
const HEAD_HEIGHT = 32;
/** Until the browser has measured the size of its window; the server draws so much. */
const FIRST_RECT = { width: 1280, height: 900 };
const CLOCK_MS = 5_000;

interface Props {
  request: BoardRequest;
  layout: BoardLayout;
  /** Whether something else has been asked for and is being read. */
  busy: boolean;
}

/** All runs of the request; only those in the window are in the page, and read from the server. */
export function BoardTable({ request, layout, busy }: Props) {
  const scroll = useRef<HTMLElement>(null);
  const keys = useRowKeys(scroll, layout, ROW_HEIGHT);
  const virtualizer = useVirtualizer({
    count: layout.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => ROW_HEIGHT,
    paddingStart: HEAD_HEIGHT,
    scrollPaddingStart: HEAD_HEIGHT,
    overscan: 8,
    initialRect: FIRST_RECT,
    useFlushSync: false,
    // The row that has the focus stays, wherever the window goes.
    rangeExtractor: (range) => withPlace(range, layout.placeOf(keys.active)),
  });
  const kept = useKeptScroll(scroll); // after the virtualizer, which begins at the top
  const items = virtualizer.getVirtualItems();
  const scrolled = useRef(request);
  useEffect(() => {
    if (scrolled.current !== request) virtualizer.scrollToOffset(0);
    scrolled.current = request;
  }, [request, virtualizer]);
  return (
    <section
      ref={scroll}
      className={classes.scroll}
      aria-label="Runs"
      aria-busy={busy}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: so that the keyboard can scroll it
      tabIndex={0}
      onKeyDown={(event) => keys.onKeyDown(event, (run) => virtualizer.scrollToIndex(layout.placeOf(run)))}
      onFocus={keys.onFocus}
      {...kept}
    >
      <table className={classes.table} aria-rowcount={layout.length + 1}>
        <Head sort={request.sort} />
        <Rows {...{ request, layout, items, keys }} height={virtualizer.getTotalSize()} />
      </table>
    </section>
  );
}

function withPlace(range: Range, place: number): number[] {
  const places = defaultRangeExtractor(range);
  if (place >= range.count || places.includes(place)) return places;
  return [...places, place].sort((a, b) => a - b);
}

function Head({ sort }: { sort: Sort | undefined }) {
  return (
    <thead>
      <tr aria-rowindex={1}>
        {BOARD_COLUMNS.map((column) => (
          <HeadCell key={column.name} column={column} sort={sort?.by === column.sort ? sort : undefined} />
        ))}
      </tr>
    </thead>
  );
}

function HeadCell({
  column: { name, label, unit, meaning, sort: by },
  sort,
}: {
  column: BoardColumn;
  sort: Sort | undefined;
}) {
  const [, setSort] = useQueryState('sort', BOARD_PARAMS.sort);
  // From the address, which is ahead of what is shown: two quick clicks are two.
  const turn = (by: Sort['by']) => setSort((asked) => nextSort(by, asked));
  const words = (
    <>
      {meaning ? <abbr title={meaning}>{label}</abbr> : label} {unit && <small>{unit}</small>}
    </>
  );
  const order = sort && (sort.descending ? 'descending' : 'ascending');
  return (
    <th scope="col" data-column={name} aria-sort={by && (order ?? 'none')}>
      {by === undefined ? (
        words
      ) : (
        <button type="button" className={classes.sort} onClick={() => turn(by)}>
          {words}
          <span aria-hidden="true">{order === 'descending' ? '▼' : order && '▲'}</span>
        </button>
      )}
    </th>
  );
}

interface RowsProps {
  request: BoardRequest;
  layout: BoardLayout;
  items: readonly VirtualItem[];
  height: number;
  keys: RowKeys;
}

function Rows({ request, layout, items, height, keys }: RowsProps) {
  const now = useNow();
  const coarse = now === null ? null : Math.floor(now / CLOCK_MS) * CLOCK_MS;
  const places = items.map((item) => ({ ...item, content: layout.at(item.index) }));
  const { runAt, failed } = useRuns(
    request,
    places.flatMap(({ content }) => ('run' in content ? [content.run] : [])),
  );
  let end = HEAD_HEIGHT;
  const rows = places.map(({ index, start, size, content }) => {
    const gap = start - end;
    end = start + size;
    const row = index + 2;
    if ('heading' in content) {
      return (
        <Fragment key={`group ${content.heading.value}`}>
          <Gap height={gap} />
          <GroupHeading group={content.heading} by={request.group ?? []} row={row} />
        </Fragment>
      );
    }
    const read = runAt(content.run);
    return (
      <Fragment key={read?.run.id ?? index}>
        <Gap height={gap} />
        {read ? (
          <BoardRow
            number={content.run}
            row={row}
            active={content.run === keys.active}
            base={read.run}
            readAt={read.readAt}
            now={coarse}
          />
        ) : (
          <UnreadRow row={row} failed={failed !== undefined} retry={() => failed?.refetch()} />
        )}
      </Fragment>
    );
  });
  return (
    <tbody>
      {rows}
      <Gap height={height - end} />
    </tbody>
  );
}

/** What lies outside the window, as empty space. */
function Gap({ height }: { height: number }) {
  if (height <= 0) return null;
  return (
    <tr className={classes.gap}>
      <td style={{ height }} />
    </tr>
  );
}
