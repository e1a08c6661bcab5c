import { join } from 'node:path';
import { expect, inject, onTestFinished, test } from 'vitest';
import { connectPglite, type PgliteConnection } from './client.ts';

/** A connection that records the order of its answers. */
async function recorded() {
  const client = await connectPglite(null, join(inject('databaseTemplate'), 'packed.tar'));
  onTestFinished(() => client.close());
  const answered: string[] = [];
  const ask = async (name: string, { query }: PgliteConnection) => {
    await query('select 1');
    answered.push(name);
  };
  return { client, ask, answered };
}

test('a queue of reads does not hold up what is stored', async () => {
  const { client, ask, answered } = await recorded();
  const begun = ask('begun', client.readers);
  const reads = ['read 1', 'read 2', 'read 3'].map((name) => ask(name, client.readers));
  const stored = client.transaction(async (tx) => {
    await tx.query('create table kept ()');
    await tx.query('insert into kept default values');
    answered.push('stored');
  });
  await Promise.all([begun, ...reads, stored, ask('after', client)]);
  expect(answered).toEqual(['begun', 'stored', 'after', 'read 1', 'read 2', 'read 3']);
});

test('what is made of stored steps goes behind what is stored, and before reads', async () => {
  const { client, ask, answered } = await recorded();
  const { background, readers } = client;
  const begun = ask('begun', client);
  const others = [ask('read', readers), ask('judged', background), ask('stored', client), ask('rolled up', background)];
  await Promise.all([begun, ...others]);
  expect(answered).toEqual(['begun', 'stored', 'judged', 'rolled up', 'read']);
});

test('a busy ingest does not delay the reads forever', async () => {
  const { client, ask, answered } = await recorded();
  const writes = Array.from({ length: 20 }, (_, at) => ask(`write ${at}`, client));
  const reads = ['read 1', 'read 2', 'read 3'].map((name) => ask(name, client.readers));
  await Promise.all([...writes, ...reads]);
  expect(answered.flatMap((name, at) => (name.startsWith('read') ? [at] : []))).toEqual([8, 17, 22]);
});

test('what has been asked for comes to its end before the database is closed', async () => {
  const { client, ask, answered } = await recorded();
  const asked = Array.from({ length: 12 }, (_, at) => [ask(`w${at}`, client), ask(`r${at}`, client.readers)]).flat();
  await client.close();
  await Promise.all(asked);
  expect(answered).toHaveLength(24);
});
