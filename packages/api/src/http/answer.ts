import { MAX_ANSWER_BYTES, reads } from '../turns.ts';
import { failureOf } from './failure.ts';
import { jsonText } from './json-text.ts';
import { readParameters } from './parameters.ts';
import type { HttpRoute, JsonRoute, ReadContext, StreamRoute } from './routes.ts';

/** An answer that is read while it is sent. */
export interface HttpStream {
  /** For the header `Content-Type`. */
  type: string;
  /** What a browser saves it as; null where it is no file. */
  filename: string | null;
  pieces: AsyncGenerator<string | Uint8Array>;
}

/** The answer to a request: JSON, or a stream. */
export type HttpAnswer = { status: 200 | 400 | 404 | 413 | 504; json: string } | ({ status: 200 } & HttpStream);

/** What of a request a route reads. */
export interface HttpRequest {
  /** What the path names. */
  path: Readonly<Record<string, string>>;
  search: URLSearchParams;
}

/**
 * Answers a request to a route. Reading takes turns with all others.
 * @throws whatever failed in the server itself.
 */
export async function answerRoute(route: HttpRoute, context: ReadContext, request: HttpRequest): Promise<HttpAnswer> {
  try {
    const input = readParameters(route.parameters, request.path, request.search) as never;
    return await ('open' in route ? openStream(route, context, input) : readJson(route, context, input));
  } catch (error) {
    const failure = failureOf(error);
    if (!failure) throw error;
    return { status: failure.status, json: JSON.stringify({ error: failure.error }) };
  }
}

async function readJson({ read }: JsonRoute, context: ReadContext, input: never): Promise<HttpAnswer> {
  const answer = await reads(() => read(context, input));
  const json = jsonText(answer);
  if (Buffer.byteLength(json) <= MAX_ANSWER_BYTES) return { status: 200, json };
  const error = `the answer would be larger than ${MAX_ANSWER_BYTES / 1024 ** 2} MiB: ask for fewer rows`;
  return { status: 413, json: JSON.stringify({ error }) };
}

/** What fails before the first piece is an answer of its own. */
async function openStream({ open }: StreamRoute, context: ReadContext, input: never): Promise<HttpAnswer> {
  const { pieces, ...stream } = await open(context, input);
  return { status: 200, ...stream, pieces: from(await pieces.next(), pieces) };
}

async function* from<Piece>(first: IteratorResult<Piece, unknown>, rest: AsyncGenerator<Piece>): AsyncGenerator<Piece> {
  if (first.done) return;
  yield first.value;
  yield* rest;
}
