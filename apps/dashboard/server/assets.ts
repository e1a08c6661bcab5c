import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

/** Below this path lies what Next.js built for browsers, and nothing else. */
export const ASSETS_PATH = '/_next/static/';

const TYPES = new Map([
  ['.avif', 'image/avif'],
  ['.css', 'text/css; charset=utf-8'],
  ['.gif', 'image/gif'],
  ['.ico', 'image/x-icon'],
  ['.jpg', 'image/jpeg'],
  ['.js', 'text/javascript; charset=utf-8'],
  ['.json', 'application/json'],
  ['.png', 'image/png'],
  ['.svg', 'image/svg+xml'],
  ['.ttf', 'font/ttf'],
  ['.txt', 'text/plain; charset=utf-8'],
  ['.wasm', 'application/wasm'],
  ['.webp', 'image/webp'],
  ['.woff', 'font/woff'],
  ['.woff2', 'font/woff2'],
]);
const UNKNOWN_TYPE = 'application/octet-stream';
/** File names contain a hash of the contents. */
const CACHED = 'public, max-age=31536000, immutable';

interface Asset {
  type: string;
  plain: Buffer;
  /** Null where compression does not help, as with fonts. */
  gzipped: Buffer | null;
}

/**
 * The scripts, styles, fonts and images of the pages, held in memory. Next.js would read and compress them for each
 * request, while the page that needs them is rendered; and an open page keeps working when they are
 * rebuilt. No path is looked up on disk.
 */
export class Assets {
  private readonly byPath: ReadonlyMap<string, Asset>;

  constructor(byPath: ReadonlyMap<string, Asset>) {
    this.byPath = byPath;
  }

  /** Answers with the one at a path, percent-encoded as in an address; 404 if there is none. */
  answer(path: string, { method, headers }: IncomingMessage, response: ServerResponse): void {
    if (method !== 'GET' && method !== 'HEAD') return void response.writeHead(405, { Allow: 'GET, HEAD' }).end();
    const asset = this.byPath.get(decodeURIComponent(path));
    if (!asset) return void response.writeHead(404, { 'Content-Type': 'text/plain' }).end('Not found');
    const gzipped = /\bgzip\b/.test(String(headers['accept-encoding'] ?? '')) ? asset.gzipped : null;
    const body = gzipped ?? asset.plain;
    response.writeHead(200, {
      'Content-Type': asset.type,
      'Content-Length': body.length,
      'Cache-Control': CACHED,
      Vary: 'Accept-Encoding',
      ...(gzipped && { 'Content-Encoding': 'gzip' }),
    });
    response.end(method === 'HEAD' ? undefined : body);
  }
}

/** Reads what Next.js built for browsers, all of it. */
export async function readAssets(folder: string): Promise<Assets> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  const assets = files.map(async (file): Promise<[string, Asset]> => {
    const path = ASSETS_PATH + relative(folder, file).split(sep).join('/');
    return [path, await readAsset(file)];
  });
  return new Assets(new Map(await Promise.all(assets)));
}

async function readAsset(file: string): Promise<Asset> {
  const plain = await readFile(file);
  const gzipped = await promisify(gzip)(plain);
  const type = TYPES.get(extname(file)) ?? UNKNOWN_TYPE;
  return { type, plain, gzipped: gzipped.length < plain.length ? gzipped : null };
}
