import { expect, test } from 'vitest';
import { listViews } from '../reads/view.ts';
import { describeDatabases } from '../testing.ts';
import { later, NOW } from '../testing-data.ts';
import { deleteView, saveView } from './view.ts';

describeDatabases('views', (db) => {
  test('a view is kept under its name until it is deleted', async () => {
    expect(await listViews(db())).toEqual([]);
    const risky = { name: 'risky', query: 'status=running&sort=-risk' };
    expect(await saveView(db(), risky, NOW)).toEqual({ ...risky, createdAt: NOW });
    await saveView(db(), { name: 'by layers', query: 'group=model.layers' }, later(1));
    expect((await listViews(db())).map(({ name }) => name)).toEqual(['by layers', 'risky']);
    await deleteView(db(), 'risky');
    expect((await listViews(db())).map(({ name }) => name)).toEqual(['by layers']);
    await deleteView(db(), 'by layers');
  });

  test('a name that is taken is refused, and its view stays; so is an unknown one', async () => {
    await saveView(db(), { name: 'mine', query: 'q=a' }, NOW);
    const refusal = { name: 'RefusedError', field: 'name' };
    await expect(saveView(db(), { name: 'mine', query: 'q=b' }, NOW)).rejects.toMatchObject(refusal);
    expect(await listViews(db())).toMatchObject([{ name: 'mine', query: 'q=a' }]);
    await deleteView(db(), 'mine');
    await expect(deleteView(db(), 'mine')).rejects.toMatchObject(refusal);
  });

  test('there are two hundred at most', async () => {
    for (let at = 0; at < 200; at++) await saveView(db(), { name: `view ${at}`, query: 'q=a' }, NOW);
    const more = { name: 'one more', query: 'q=a' };
    const refusal = { name: 'RefusedError', field: 'name', message: expect.stringContaining('200 views') };
    await expect(saveView(db(), more, NOW)).rejects.toMatchObject(refusal);
    await deleteView(db(), 'view 0');
    expect(await saveView(db(), more, NOW)).toMatchObject(more);
  });
});
