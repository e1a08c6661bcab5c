#!/usr/bin/env bash
# @electric-sql/pglite 0.5.16 in Node.js: the process that creates a data directory keeps over twice the memory of one that
# opens it later, although nothing was stored: what `PGlite.create` needs to make the cluster stays referenced outside the
# JavaScript heap, where little reminds the garbage collector of it. And most of what an opened database takes is
# PostgreSQL's `shared_buffers`, which is the full 128 MB of a server: with 16 MB of it (in `startParams`, which replace the
# defaults and so have to repeat `PGlite.defaultStartParams`) the same rows take about half. A good guess for a database
# that is made to be embedded is small buffers, and the same memory for either way of opening it.
#
# Seen with Node.js 20.20.2 on Linux, resident memory after 200,000 rows; it varies by some tens of megabytes:
#   new directory: 819 MB
#   the same directory, opened again: 356 MB
#   the same with shared_buffers=16MB: 178 MB
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund @electric-sql/pglite@0.5.16 >/dev/null
cat >fill.mjs <<'JS'
import { PGlite } from '@electric-sql/pglite';

const [, , dataDir, buffers] = process.argv;
const startParams = buffers && [...PGlite.defaultStartParams, '-c', `shared_buffers=${buffers}`];
const pglite = await PGlite.create({ dataDir, ...(startParams && { startParams }) });
await pglite.exec('create table if not exists kept (id serial primary key, words text)');
const fill = "insert into kept (words) select repeat('x', 200) from generate_series(1, 10000)";
for (let time = 0; time < 20; time++) await pglite.exec(fill);
await pglite.query('select count(*) from kept');
console.log(Math.round(process.memoryUsage().rss / 1e6));
await pglite.close();
JS
created=$(node fill.mjs data)
opened=$(node fill.mjs data)
small=$(node fill.mjs data 16MB)
echo "new directory: $created MB"
echo "the same directory, opened again: $opened MB"
echo "the same with shared_buffers=16MB: $small MB"
((10 * created > 17 * opened && 10 * opened > 14 * small))
