import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { MlflowError } from './error.ts';
import { parseJson } from './json.ts';

/** A request's body, compressed or not. */
const MAX_BODY_BYTES = 16 * 1024 * 1024;
/** Bodies of all clients together that are read and not answered. */
const MAX_HELD_BYTES = 128 * 1024 * 1024;

const unzip = promisify(gunzip);

/**
 * The secret that a request presents: a token, or the password of a name, or the name where there is no password.
 * Undefined for none.
 */
export function secretOf(authorization: string | undefined): string | undefined {
  const [, scheme = '', rest = ''] = /^(\w+) +(.+)$/.exec(authorization ?? '') ?? [];
  if (scheme.toLowerCase() === 'bearer') return rest;
  if (scheme.toLowerCase() !== 'basic') return undefined;
  const text = Buffer.from(rest, 'base64').toString();
  const colon = text.indexOf(':');
  const [name, password] = colon < 0 ? [text, ''] : [text.slice(0, colon), text.slice(colon + 1)];
  return password || name || undefined;
}

/** Reads bodies of JSON, bounded each and all together. */
export class Bodies {
  #held = 0;

  /**
   * Calls `use` with what the body holds.
   * @throws MlflowError where it is too long, or no JSON, or the server holds too much already.
   */
  async use<Result>(request: Request, use: (body: unknown) => Promise<Result>): Promise<Result> {
    let held = 0;
    try {
      const hold = (bytes: number) => {
        held += bytes;
        this.#held += bytes;
        if (this.#held > MAX_HELD_BYTES) throw new MlflowError('REQUEST_LIMIT_EXCEEDED', BUSY);
      };
      const chunks: Uint8Array[] = [];
      for await (const chunk of request.body ?? []) {
        hold(chunk.byteLength);
        if (held > MAX_BODY_BYTES) throw new MlflowError('INVALID_PARAMETER_VALUE', TOO_LONG);
        chunks.push(chunk);
      }
      const sent = Buffer.concat(chunks);
      const bytes = request.headers.get('content-encoding') === 'gzip' ? await unzipped(sent) : sent;
      if (bytes !== sent) hold(bytes.byteLength);
      return await use(parseJson(bytes.toString()));
    } finally {
      this.#held -= held;
    }
  }
}

const TOO_LONG = `the body is longer than ${MAX_BODY_BYTES / 1024 / 1024} MiB`;
const BUSY = 'the server has too many requests waiting: try again';

async function unzipped(bytes: Buffer): Promise<Buffer> {
  try {
    return await unzip(bytes, { maxOutputLength: MAX_BODY_BYTES });
  } catch {
    throw new MlflowError('INVALID_PARAMETER_VALUE', `the body is no gzip, or ${TOO_LONG.replace('the body is ', '')}`);
  }
}
