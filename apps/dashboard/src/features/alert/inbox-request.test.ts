import { expect, it } from 'vitest';
import { readInbox } from './inbox-request.ts';

const read = (query: string) => readInbox(new URLSearchParams(query));

it('asks for what is open where the address says nothing, or nothing that makes sense', () => {
  const open = { tab: 'open', filter: {}, request: { status: ['open'], limit: 100, offset: 0 } };
  expect(read('')).toEqual(open);
  expect(read('status=lost&rule=luck&severity=mild&within=toString&page=-1&q=%20&project=')).toEqual(open);
});

it('reads every part of the address', () => {
  const filter = {
    ...{ rule: ['loss-spike'], severity: 'critical', project: 'lab' },
    ...{ search: 'big one', withinHours: 24 },
  };
  expect(read('status=all&rule=loss-spike&severity=critical&project=lab&q=big+one+&within=24h&page=3')).toEqual({
    tab: 'all',
    filter,
    request: { ...filter, status: ['open', 'acknowledged', 'resolved'], limit: 100, offset: 200 },
  });
});
