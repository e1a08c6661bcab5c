import { openDatabase } from '@evenkeel/db';
import { PROTOCOL_VERSION } from '@evenkeel/protocol';
import { temporaryFolder } from '@evenkeel/testing';
import { io } from 'socket.io-client';
import { expect, test } from 'vitest';
import { serve } from './evenkeel.ts';

const SECRET = 'notes-of-somebody';
const START = {
  ...{ run: '018f0000-0000-7000-8000-000000000001', attempt: 1, project: 'p', startedAt: 1_000 },
  ...{ name: 'run \x1b[2J\nforged', notes: `${SECRET} `.repeat(3_000) },
};

test('what fails in a server of others’ data is logged in short escaped lines, pages’ errors too, with a count of repeats', async () => {
  using folder = temporaryFolder();
  {
    await using db = await openDatabase({ dataDir: folder.path });
    await db.sql.execute('alter table run rename to gone');
  }
  await using server = await serve(folder.path);
  const auth = { protocol: PROTOCOL_VERSION, client: 'trainer \x9b31m\u2028\u202eforged' };
  const socket = io(`${server.url}/ingest`, { transports: ['websocket'], auth });
  for (let at = 0; at < 30; at++) {
    const answer = await socket.timeout(20_000).emitWithAck('run:start', START);
    expect(answer).toMatchObject({ retry: true });
  }
  socket.disconnect();
  const input = encodeURIComponent(JSON.stringify({ json: { search: SECRET, limit: 10 } }));
  expect((await fetch(`${server.url}/api/trpc/run.list?input=${input}`)).status).toBe(500);
  await fetch(`${server.url}/?q=${SECRET}`).then((response) => response.text());
  await server.printed(/a page failed|Next\.js: /);
  server.child.kill('SIGTERM');
  expect(await server.ended).toBe(0);

  const lines = server.output().trim().split('\n').slice(1);
  const about = (words: string) => lines.filter((line) => line.includes(words));
  expect(about('an emitter connects: ')).toEqual([expect.stringContaining('trainer \\x9b31m\\u2028\\u202eforged')]);
  const [first, repeats, ...others] = about('run:start failed: ');
  expect(first).toMatch(/relation "\w+" does not exist \(SQLSTATE 42P01, in: \w+/);
  expect(`${repeats} ${others.join()}`).toMatch(/\((\d+) more in the last \d+ s\)/);
  expect(about('tRPC run.list failed: ')[0]).toMatch(/SQLSTATE 42P01/);
  for (const line of lines) {
    expect(line).toMatch(/^(\d{4}-\d\d-\d\dT\S+Z (info|error) |\{"url")/);
    expect(line.length).toBeLessThan(1_100);
    expect(line).not.toMatch(new RegExp(`[\\p{Cc}\\u2028\\u202e]|${SECRET}|params:`, 'u'));
  }
});
