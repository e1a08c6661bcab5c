'use client';

import { writePath } from '@evenkeel/protocol';
import { UnstyledButton } from '@mantine/core';
import { type Nullable, useQueryStates } from 'nuqs';
import { BOARD_PARAMS, type BoardParams, type BoardRequest, FILTER_PARAMS } from '../run/list-request.ts';
import { formatRisk } from '../run/risk-gauge.tsx';
import classes from './board.module.css';

const SHOWN_PARAMS = { ...FILTER_PARAMS, group: BOARD_PARAMS.group };

interface Chip {
  words: string;
  /** What removes it from the address. */
  without: Partial<Nullable<BoardParams>>;
}

/** What narrows and groups the board, each to be removed with a click. */
export function FilterChips({ request }: { request: BoardRequest }) {
  const [, setParams] = useQueryStates(SHOWN_PARAMS);
  const chips = chipsOf(request);
  if (chips.length === 0) return null;
  return (
    <ul className={classes.chips} aria-label="Active filters">
      {chips.map(({ words, without }) => (
        <li key={words}>
          <UnstyledButton className={classes.chip} aria-label={`Remove ${words}`} onClick={() => setParams(without)}>
            {words} <span aria-hidden="true">×</span>
          </UnstyledButton>
        </li>
      ))}
      {chips.length > 1 && (
        <li>
          <UnstyledButton className={classes.clear} onClick={() => setParams(null)}>
            Remove all
          </UnstyledButton>
        </li>
      )}
    </ul>
  );
}

function chipsOf({ filter, group }: BoardRequest): Chip[] {
  const chip = (name: keyof typeof SHOWN_PARAMS, words: string | undefined): Chip[] =>
    words === undefined ? [] : [{ words, without: { [name]: null } }];
  const day = (date: Date | undefined) => date?.toISOString().slice(0, 10);
  const config = filter.config ?? [];
  return [
    ...chip('q', filter.search && `“${filter.search}”`),
    ...chip('status', [filter.status ?? []].flat().join(' or ') || undefined),
    ...chip('project', filter.project && `project ${filter.project}`),
    ...chip('tag', filter.tag && `tag ${filter.tag}`),
    ...config.map((one) => ({
      words: `${writePath(one.path)} = ${one.value}`,
      without: { config: config.filter((other) => other !== one) },
    })),
    ...chip('risk', filter.risk === undefined ? undefined : `risk ≥ ${formatRisk(filter.risk)}`),
    ...chip(
      'within',
      filter.startedWithin === undefined ? undefined : `started within ${formatHours(filter.startedWithin)}`,
    ),
    ...chip('from', filter.startedFrom && `started from ${day(filter.startedFrom)}`),
    ...chip('before', filter.startedBefore && `started before ${day(filter.startedBefore)}`),
    ...chip('archived', filter.archived ? 'archived' : undefined),
    ...chip('group', group && `grouped by ${writePath(group)}`),
  ];
}

function formatHours(hours: number): string {
  return hours >= 48 && hours % 24 === 0 ? `${hours / 24} days` : `${hours} h`;
}
