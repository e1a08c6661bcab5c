'use client';

import Link from 'next/link';
import { useQueryStates } from 'nuqs';
import { BOARD_PARAMS, boardAddress, boardQuery, loadBoard } from '../run/list-request.ts';
import { SavedViews } from '../view/saved-views.tsx';
import classes from './board.module.css';

/** Views that many ask for; any other is its address, which the lab may save under a name. */
const VIEWS = [
  ['All', ''],
  ['Running, riskiest first', 'status=running&sort=-risk'],
  ['With alerts', 'status=running&sort=-alerts'],
  ['Failed or lost within a day', 'status=failed,lost&within=24&sort=-ended'],
] as const;

export function BoardViews() {
  const [params] = useQueryStates(BOARD_PARAMS);
  const here = boardQuery(params);
  return (
    <nav aria-label="Views" className={classes.views}>
      {VIEWS.map(([name, query]) => (
        <Link
          key={name}
          href={query ? `/?${query}` : '/'}
          aria-current={here === boardQuery(loadBoard(query)) ? 'page' : undefined}
        >
          {name}
        </Link>
      ))}
      <Link href={boardAddress('/', { ...params, wall: true })} title="For a big screen: the riskiest runs as tiles">
        Wall
      </Link>
      <SavedViews here={here} />
    </nav>
  );
}
