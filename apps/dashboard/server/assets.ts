import { readdir, readFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { extname, join, relative, sep } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

const TYPES = new Map([
  ['.js', 'text/javascript; charset=utf-8'],
  ['.css', 'text/css; charset=utf-8'],
]);
/** The name of each tells its contents. */
const CACHED = 'public, max-age=31536000, immutable';

interface Asset {
  type: string;
  plain: Buffer;
  gzipped: Buffer;
}

/**
 * The scripts and styles of the pages, held in memory. Next.js would read and compress them for each request, while the
 * page that waits for them is put together; and a page that is open stays whole when they are built anew.
 */
export class Assets {
  private readonly byPath: ReadonlyMap<string, Asset>;

  constructor(byPath: ReadonlyMap<string, Asset>) {
    this.byPath = byPath;
  }

  /** Whether there is one at the path, and so this has answered. */
  answer(path: string, { method, headers }: IncomingMessage, response: ServerResponse): boolean {
    const asset = method === 'GET' || method === 'HEAD' ? this.byPath.get(path) : undefined;
    if (!asset) return false;
    const isGzipped = /\bgzip\b/.test(String(headers['accept-encoding'] ?? ''));
    const body = isGzipped ? asset.gzipped : asset.plain;
    response.writeHead(200, {
      'Content-Type': asset.type,
      'Content-Length': body.length,
      'Cache-Control': CACHED,
      Vary: 'Accept-Encoding',
      ...(isGzipped && { 'Content-Encoding': 'gzip' }),
    });
    response.end(method === 'HEAD' ? undefined : body);
    return true;
  }
}

/** Reads what Next.js built for browsers. */
export async function readAssets(folder: string): Promise<Assets> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const assets = entries.map(async ({ parentPath, name }): Promise<[string, Asset][]> => {
    const file = join(parentPath, name);
    const type = TYPES.get(extname(name));
    if (!type) return [];
    const plain = await readFile(file);
    const path = `/_next/static/${relative(folder, file).split(sep).join('/')}`;
    return [[path, { type, plain, gzipped: await promisify(gzip)(plain) }]];
  });
  return new Assets(new Map((await Promise.all(assets)).flat()));
}
