// Owns PGlite, away from the main thread, which a long query would stop. A plain module, so that it runs unbuilt.
import { readFile } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { PGlite, types } from '@electric-sql/pglite';

/** @import { Request } from './client.ts' */

// Drizzle reads these as PostgreSQL writes them. It says so with every query, but functions can't travel here.
const TEXT_TYPES = [types.TIMESTAMP, types.TIMESTAMPTZ, types.INTERVAL, types.DATE];
const TEXT_ARRAY_TYPES = [1231, 1115, 1185, 1187, 1182]; // numeric[], timestamp[], timestamptz[], interval[], date[]
const parsers = Object.fromEntries([...TEXT_TYPES, ...TEXT_ARRAY_TYPES].map((type) => [type, (text) => text]));

const opening = open();

parentPort.on('message', async (/** @type {Request} */ request) => {
  try {
    parentPort.postMessage({ id: request.id, result: await answer(request) });
  } catch (error) {
    parentPort.postMessage({ id: request.id, error: { ...error, message: error.message } });
  }
});

async function open() {
  const startParams = [...PGlite.defaultStartParams, '-c', 'shared_buffers=32MB'];
  const { dataDir, packed } = workerData;
  const loadDataDir = packed && new Blob([await readFile(packed)]);
  const pglite = await PGlite.create({ dataDir, loadDataDir, parsers, startParams });
  await pglite.exec("set work_mem = '64MB'"); // one connection may have it; a chart's sort would spill to disk
  return pglite;
}

/** @param {Request} request */
async function answer(request) {
  const pglite = await opening;
  if (request.kind === 'close') return pglite.close();
  const { sql, params, rowMode } = request;
  const blob = request.blob && new Blob([request.blob]);
  const { rows, affectedRows } = await pglite.query(sql, params, { rowMode, blob });
  return { rows, affectedRows };
}
