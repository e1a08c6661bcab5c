'use client';

import type { AlertFeedback } from '@evenkeel/protocol';
import { Button } from '@mantine/core';
import { keepPreviousData, useQuery } from '@tanstack/react-query';
import Link from 'next/link';
import { useQueryState, useQueryStates } from 'nuqs';
import { useCallback } from 'react';
import { Message } from '../../components/message.tsx';
import { useYourName } from '../../components/your-name.tsx';
import { type ListedAlert, useTRPC } from '../../trpc/client.tsx';
import { Failure } from '../../trpc/failure.tsx';
import classes from './inbox.module.css';
import { InboxFilters } from './inbox-filters.tsx';
import { InboxList } from './inbox-list.tsx';
import {
  INBOX_FILTERS,
  INBOX_LIMIT,
  INBOX_PARAMS,
  INBOX_TABS,
  type InboxFilter,
  type InboxTab,
  inboxRequest,
} from './inbox-request.ts';
import { InboxSkeleton } from './inbox-skeleton.tsx';
import { useInbox } from './use-inbox.ts';

type Counts = Record<InboxTab, number>;

/** Every alert of every run, by what has been done about it. */
export function Inbox() {
  const [params] = useQueryStates(INBOX_PARAMS);
  const tab = params.status;
  const { filter, request } = inboxRequest(params);
  const counts = useCounts(filter);
  const inbox = useInbox(request);
  const { alerts, news, acknowledge, resolve, mark } = inbox;
  const [by] = useYourName();
  const { mutate: sendMark } = mark;
  const onMark = useCallback(
    (chosen: Pick<ListedAlert, 'run' | 'id'>[], feedback: AlertFeedback | null) =>
      sendMark({ alerts: chosen, feedback, by }),
    [sendMark, by],
  );

  if (inbox.error) {
    return (
      <Message title="The alerts could not be read" action={<Button onClick={() => inbox.retry()}>Try again</Button>}>
        {inbox.error.message}. The rules go on watching, and commands of a run's policy are given all the same.
      </Message>
    );
  }
  return (
    <>
      <div className={classes.heading}>
        <h1>Alerts</h1>
        <Tabs tab={tab} counts={counts} />
        <InboxFilters />
      </div>
      <div role="status">
        {news > 0 && (
          <button type="button" className={classes.news} onClick={inbox.showNews}>
            {news === 1 ? '1 new alert' : `${news} new alerts`} · show
          </button>
        )}
      </div>
      <Failure what="Nothing was acknowledged" error={acknowledge.error} />
      <Failure what="Nothing was resolved" error={resolve.error} />
      <Failure what="Nothing was marked" error={mark.error} />
      {alerts === null && <InboxSkeleton />}
      {alerts?.length === 0 && <Empty tab={tab} isNarrowed={Object.keys(filter).length > 0} counts={counts} />}
      {alerts !== null && alerts.length > 0 && (
        <InboxList
          alerts={alerts}
          statuses={request.status}
          isBusy={acknowledge.isPending || resolve.isPending || mark.isPending}
          onAcknowledge={(chosen) => acknowledge.mutate({ alerts: chosen })}
          onResolve={(chosen) => resolve.mutate({ alerts: chosen })}
          onMark={onMark}
        />
      )}
      <Pages total={counts?.[tab] ?? 0} />
    </>
  );
}

function useCounts(filter: InboxFilter): Counts | null {
  const counts = useQuery(useTRPC().alert.count.queryOptions(filter, { placeholderData: keepPreviousData })).data;
  return counts ? { ...counts, all: counts.open + counts.acknowledged + counts.resolved } : null;
}

function Tabs({ tab, counts }: { tab: InboxTab; counts: Counts | null }) {
  const [, setParams] = useQueryStates(INBOX_PARAMS, { history: 'push' });
  return (
    <fieldset className={classes.tabs} aria-label="What has been done about them">
      {INBOX_TABS.map((each) => (
        <button
          key={each}
          type="button"
          aria-pressed={each === tab}
          onClick={() => setParams({ status: each, page: null })}
        >
          {each} {counts && <span className={classes.count}>{counts[each]}</span>}
        </button>
      ))}
    </fieldset>
  );
}

interface EmptyProps {
  tab: InboxTab;
  isNarrowed: boolean;
  counts: Counts | null;
}

/** Why there is nothing, and where to go on. */
function Empty({ tab, isNarrowed, counts }: EmptyProps) {
  const [{ page }, setParams] = useQueryStates(INBOX_PARAMS);
  const [, setFilters] = useQueryStates(INBOX_FILTERS);
  if (page > 1) {
    return (
      <p className={classes.empty}>
        There is no such page any more.{' '}
        <TextButton onClick={() => setParams({ page: null })}>Show the first</TextButton>
      </p>
    );
  }
  if (isNarrowed) {
    return (
      <p className={classes.empty}>
        No {tab === 'all' ? '' : tab} alert matches.{' '}
        <TextButton onClick={() => setFilters(null)}>Clear the filters</TextButton>
      </p>
    );
  }
  if (counts && counts.all > 0) {
    return (
      <p className={classes.empty}>
        No alert is {tab}.{' '}
        <TextButton onClick={() => setParams({ status: 'all' }, { history: 'push' })}>Show all {counts.all}</TextButton>
      </p>
    );
  }
  return (
    <Message title="No alerts yet" action={<Link href="/">See all runs</Link>}>
      A rule opens an alert when a run's loss, TEV or gradients look wrong, or when it stops sending. It appears here by
      itself. Set each rule's thresholds on the rules page of a project.
    </Message>
  );
}

function TextButton({ onClick, children }: { onClick: () => void; children: React.ReactNode }) {
  return (
    <Button variant="subtle" size="compact-sm" onClick={onClick}>
      {children}
    </Button>
  );
}

function Pages({ total }: { total: number }) {
  const [page, setPage] = useQueryState('page', INBOX_PARAMS.page.withOptions({ history: 'push' }));
  const pages = Math.ceil(total / INBOX_LIMIT);
  if (pages <= 1) return null;
  return (
    <nav aria-label="Pages of alerts" className={classes.pages}>
      <Button size="compact-sm" variant="default" disabled={page <= 1} onClick={() => setPage(page - 1)}>
        Newer
      </Button>
      <span>
        page {page} of {pages}
      </span>
      <Button size="compact-sm" variant="default" disabled={page >= pages} onClick={() => setPage(page + 1)}>
        Older
      </Button>
    </nav>
  );
}
