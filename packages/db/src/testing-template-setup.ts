import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import type { TestProject } from 'vitest/node';
import { openDatabase } from './open.ts';
import { MIGRATIONS, PACKAGE } from './package.ts';

const CACHE = join(PACKAGE, '../../node_modules/.cache/evenkeel-test');

/** Makes the template that tests start from, unless an earlier run of the same migrations and PGlite has left it. */
export default async function setup(project: TestProject): Promise<void> {
  const template = join(CACHE, `database-${fingerprint()}`);
  if (!existsSync(template)) await make(template);
  project.provide('databaseTemplate', template);
}

function fingerprint(): string {
  const hash = createHash('sha256').update(
    readFileSync(createRequire(import.meta.url).resolve('@electric-sql/pglite')),
  );
  const migrations = readdirSync(MIGRATIONS).filter((file) => file.endsWith('.sql'));
  for (const file of [...migrations.sort(), 'meta/_journal.json']) hash.update(readFileSync(join(MIGRATIONS, file)));
  return hash.digest('hex').slice(0, 16);
}

/** Under another name until it is whole: another run may make the same one, or be killed as it does. */
async function make(template: string): Promise<void> {
  await mkdir(CACHE, { recursive: true });
  const unfinished = await mkdtemp(`${template}-`);
  await (await openDatabase({ dataDir: unfinished })).close();
  const pglite = await PGlite.create(join(unfinished, 'postgres'));
  const packed = await pglite.dumpDataDir('none');
  await pglite.close();
  await writeFile(join(unfinished, 'packed.tar'), Buffer.from(await packed.arrayBuffer()));
  await rename(unfinished, template).catch(async (error) => {
    await rm(unfinished, { recursive: true });
    if (!existsSync(template)) throw error;
  });
}
