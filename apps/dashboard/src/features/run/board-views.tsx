'use client';

import Link from 'next/link';
import { useUrlParams } from '../../url.ts';
import { SavedViews } from '../view/saved-views.tsx';
import classes from './board.module.css';
import { writeBoardQuery } from './list-request.ts';

/** Views that many ask for; any other is its address, which the lab may save under a name. */
const VIEWS = [
  ['All', ''],
  ['Running, riskiest first', 'status=running&sort=-risk'],
  ['With alerts', 'status=running&sort=-alerts'],
  ['Failed or lost within a day', 'status=failed,lost&within=24&sort=-ended'],
] as const;

export function BoardViews() {
  const [params] = useUrlParams();
  const here = writeBoardQuery(params);
  const wall = new URLSearchParams(params);
  wall.set('wall', '');
  return (
    <nav aria-label="Views" className={classes.views}>
      {VIEWS.map(([name, query]) => (
        <Link
          key={name}
          href={query ? `/?${query}` : '/'}
          aria-current={here === writeBoardQuery(new URLSearchParams(query)) ? 'page' : undefined}
        >
          {name}
        </Link>
      ))}
      <Link href={`/?${wall}`} title="For a big screen: the riskiest runs as tiles">
        Wall
      </Link>
      <SavedViews here={here} />
    </nav>
  );
}
