import { expect, it } from 'vitest';
import { inboxRequest, loadInbox } from './inbox-request.ts';

const read = (query: string) => inboxRequest(loadInbox(query));

it('asks for what is open where the address says nothing, or nothing that makes sense', () => {
  const open = { filter: {}, request: { status: ['open'], limit: 100, offset: 0 } };
  expect(read('')).toEqual(open);
  expect(read('status=lost&rule=luck&severity=mild&within=toString&page=-1&q=%20&project=')).toEqual(open);
});

it('reads every part of the address', () => {
  const filter = {
    ...{ rule: ['loss-spike'], severity: 'critical', project: 'lab' },
    ...{ search: 'big one', withinHours: 24 },
  };
  expect(read('status=all&rule=loss-spike&severity=critical&project=lab&q=big+one+&within=24h&page=3')).toEqual({
    filter,
    request: { ...filter, status: ['open', 'acknowledged', 'resolved'], limit: 100, offset: 200 },
  });
});
