import { existsSync } from 'node:fs';
import { type ApiKey, createApiKey, holderOf, listApiKeys, openDatabase, revokeApiKey } from '@evenkeel/db';
import { name, parse } from '@evenkeel/protocol';
import { action, flag, toggle } from '@evenkeel/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { ask, type Client, connect } from '../client.ts';
import { dataDirFlag } from '../common-flags.ts';
import { environment } from '../environment.ts';
import { Failure } from '../failure.ts';
import { printTable } from '../table.ts';

/** The operations on keys, through a running server or on the database itself. */
interface Keys {
  create(name: string): Promise<Awaited<ReturnType<Client['apiKey']['create']['mutate']>>>;
  list(): Promise<Awaited<ReturnType<Client['apiKey']['list']['query']>>>;
  revoke(id: string): Promise<unknown>;
}

const where = z.object({
  server: flag(z.string().optional(), {
    value: '<url>',
    help: 'URL of the running server (default: the one that has the data directory open)',
  }),
  dataDir: dataDirFlag,
  json: toggle('print JSON'),
});
type Flags = z.output<typeof where>;

export function keyCommand(): Command {
  const key = new Command('key').description('manage the ingest keys of trainers');
  const create = key.command('create').description('create a key and show its secret, once');
  action(create.argument('<name>', 'what the key is for'), where, async (flags, text: string) => {
    const { name: keyName } = parse(z.object({ name }), { name: text });
    const { key, secret } = await withKeys(flags, (keys) => keys.create(keyName), true);
    if (flags.json) console.log(JSON.stringify({ id: key.id, name: key.name, secret }));
    else console.log(`${secret}\n\nThis is the only time it is shown. Give it to a trainer as EVENKEEL_KEY.`);
  });
  action(key.command('list').description('list the keys, without their secrets'), where, async (flags) => {
    const keys = await withKeys(flags, (all) => all.list());
    if (flags.json) for (const each of keys) console.log(JSON.stringify(each));
    else if (keys.length === 0)
      console.log(
        'No keys: anyone who can connect to the server may send steps. "evenkeel key create NAME" changes that.',
      );
    else printTable([['id', 'name', 'created', 'last used', 'revoked'], ...keys.map(row)]);
  });
  const revoke = key
    .command('revoke')
    .description('revoke a key at once and for good; any other key may then continue its runs');
  action(revoke.argument('<id>', 'the id that "key list" shows'), where, async (flags, id: string) => {
    await withKeys(flags, (keys) => keys.revoke(id));
    console.log(flags.json ? JSON.stringify({ id, revoked: true }) : `Key ${id} is revoked.`);
  });
  return key;
}

function row({ id, name, createdAt, lastUsedAt, revokedAt }: ApiKey): string[] {
  return [id, name, ...[createdAt, lastUsedAt, revokedAt].map((at) => at?.toISOString() ?? '–')];
}

/** Uses the running server if there is one: a data directory can be open in one process only. */
async function withKeys<Answer>(
  flags: Flags,
  act: (keys: Keys) => Promise<Answer>,
  mayCreate = false,
): Promise<Answer> {
  const server = flags.server ?? (await runningServer(flags.dataDir));
  return server === null ? onDatabase(flags.dataDir, mayCreate, act) : ask(server, act(throughServer(server)));
}

async function runningServer(dataDir: string): Promise<string | null> {
  if (environment.databaseUrl !== null) return null;
  const holder = await holderOf(dataDir);
  if (holder && holder.url === null)
    throw new Failure(`process ${holder.pid} is just opening ${dataDir}: try again in a moment`);
  return holder?.url ?? null;
}

function throughServer(server: string): Keys {
  const { apiKey } = connect(server);
  return {
    create: (keyName) => apiKey.create.mutate({ name: keyName }),
    list: () => apiKey.list.query(),
    revoke: (id) => apiKey.revoke.mutate({ id }),
  };
}

async function onDatabase<Answer>(
  dataDir: string,
  mayCreate: boolean,
  act: (keys: Keys) => Promise<Answer>,
): Promise<Answer> {
  const { databaseUrl } = environment;
  if (databaseUrl === null && !mayCreate && !existsSync(dataDir))
    throw new Failure(`there is no database in ${dataDir}`);
  await using db = await openDatabase(databaseUrl === null ? { dataDir } : { url: databaseUrl });
  return await act({
    create: (keyName) => createApiKey(db, keyName, new Date()),
    list: () => listApiKeys(db),
    revoke: (id) => revokeApiKey(db, id, new Date()),
  });
}
