import type { AlertStatus } from '@evenkeel/protocol';
import { expect, it } from 'vitest';
import { countNews, newStableList, refilled, refreshed, without } from './stable-list.ts';

const alert = (id: string, at: number, status: AlertStatus = 'open') => ({ id, status, openedAt: new Date(at) });
const ids = ({ alerts }: { alerts: readonly { id: string }[] }) => alerts.map(({ id }) => id).join('');

it('keeps rows in their places while what they say changes', () => {
  const list = newStableList('k', [alert('b', 2), alert('a', 1)], 9);
  const now = refreshed(list, [alert('c', 3), alert('a', 1, 'acknowledged')]);
  expect(now.alerts).toEqual([alert('b', 2), alert('a', 1, 'acknowledged')]);
});

it('counts what is new, and not what moves up from the next page', () => {
  const full = newStableList('k', [alert('c', 3), alert('b', 2)], 2);
  expect(countNews(full, [alert('d', 4), alert('c', 3)])).toBe(1);
  expect(countNews(full, [alert('c', 3), alert('a', 1)])).toBe(0);
  const short = newStableList('k', [alert('c', 3), alert('b', 2)], 9);
  expect(countNews(short, [alert('c', 3), alert('b', 2), alert('a', 1)])).toBe(1); // such as one that was just resolved
});

it('lets go of what the reader has dealt with, and does not count it as new before the server is asked again', () => {
  const latest = [alert('c', 3), alert('b', 2), alert('a', 1)];
  const changed = [alert('b', 2, 'acknowledged'), alert('a', 1, 'resolved')];
  const list = without(newStableList('k', latest, 9), changed, ['open', 'resolved']);
  expect(ids(list)).toBe('ca');
  expect(countNews(list, latest)).toBe(0);
});

it('fills up again once all is dealt with, and not with that', () => {
  const list = without(
    newStableList('k', [alert('c', 3), alert('b', 2)], 2),
    [alert('c', 3, 'resolved'), alert('b', 2, 'resolved')],
    ['open'],
  );
  expect(ids(refilled(list, [alert('c', 3), alert('b', 2)]))).toBe('');
  const refill = refilled(list, [alert('a', 1)]);
  expect(ids(refill)).toBe('a');
  expect(countNews(refill, [alert('d', 4), alert('a', 1)])).toBe(1);
});
