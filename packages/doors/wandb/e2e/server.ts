// The process of a server that tests kill. It writes its address when it listens, and a
// line each time that it has stored steps.
import { openDatabase } from '@evenkeel/db';
import { serveDoor } from '../src/testing.ts';

const [dataDir = '', port] = process.argv.slice(2);
const report = (what: string) => process.stdout.write(`${what}\n`);
const { events, url } = await serveDoor(await openDatabase({ dataDir }), { port: Number(port) });
events.subscribe(({ kind }) => {
  if (kind === 'steps stored') report('stored');
});
report(url);
