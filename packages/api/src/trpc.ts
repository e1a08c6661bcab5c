import { type CommandRow, type Database, isTimeout } from '@evenkeel/db';
import { type Action, type Command, type EventPort, isJson, type Principal, RefusedError } from '@evenkeel/protocol';
import { initTRPC, TRPCError } from '@trpc/server';
import superjson from 'superjson';
import { ZodError } from 'zod';
import { jsonSize } from './json-size.ts';
import { MAX_ANSWER_BYTES, reads, writes } from './turns.ts';

/** What a procedure knows of its request: each has its own. */
export interface ApiContext {
  db: Database;
  now: () => Date;
  /** Who asks. The author in the history comes from this; a name that was typed counts only for nobody in particular. */
  principal: Principal;
  /** Where what happened goes. */
  events: Pick<EventPort, 'publish'>;
  /** Gives a command to a run's trainer, in the name of who asks; resolves to what has come of it so far. */
  command: (given: Pick<Command, 'run' | 'by' | 'reason'> & { action: Action }) => Promise<CommandRow>;
  /** What the answers to one request have come to so far; absent where a call is no request. */
  answered?: { bytes: number };
}

/** superjson, so that dates, NaN and infinities arrive as what they are. */
const transformer = {
  serialize: (value: unknown) => (isJson(value) ? { json: value } : superjson.serialize(value)),
  deserialize: superjson.deserialize,
};

const t = initTRPC.context<ApiContext>().create({
  transformer,
  isDev: false, // no stack leaves the server
  errorFormatter: ({ shape, error }) => ({ ...shape, message: publicMessage(error) }),
});

/** What an internal error says, such as SQL, is for the server's log alone. */
function publicMessage({ code, cause, message }: TRPCError): string {
  if (code === 'INTERNAL_SERVER_ERROR') return 'the server failed: its log says why';
  return cause instanceof ZodError ? describe(cause) : message;
}

/** `run: Invalid UUID` instead of zod's list of issues as JSON. */
function describe({ issues }: ZodError): string {
  return issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ');
}

export const { router, createCallerFactory } = t;

/** A procedure that waits for much or for long, and so takes its turn by itself. */
export const slowProcedure = t.procedure.use(async ({ type, ctx, next }) => {
  const result = await next(type === 'query' ? { ctx: { db: ctx.db.readers } } : { ctx: { db: ctx.db } });
  if (!result.ok) throw publicError(result.error);
  const answered = ctx.answered ?? { bytes: 0 };
  answered.bytes += jsonSize(result.data, MAX_ANSWER_BYTES - answered.bytes);
  if (answered.bytes <= MAX_ANSWER_BYTES) return result;
  throw new TRPCError({
    code: 'PAYLOAD_TOO_LARGE',
    message: `the answer would be larger than ${MAX_ANSWER_BYTES / 1024 ** 2} MiB: ask for fewer rows or columns, or for less at once`,
  });
});

/** All others take turns; what nobody waits for any more is not begun. */
export const procedure = slowProcedure.use(({ type, signal, next }) => {
  const turns = type === 'query' ? reads : writes;
  return turns(() => {
    if (signal?.aborted) throw new TRPCError({ code: 'CLIENT_CLOSED_REQUEST' });
    return next();
  });
});

/** What the database refuses becomes a client's error, and what takes it too long one that may pass; the rest is ours. */
function publicError(error: TRPCError): TRPCError {
  if (error.cause instanceof RefusedError) {
    const { field, message } = error.cause;
    return new TRPCError({ code: 'BAD_REQUEST', message: field ? `${field}: ${message}` : message });
  }
  if (!isTimeout(error.cause)) return error;
  return new TRPCError({
    code: 'GATEWAY_TIMEOUT',
    message: 'reading this took the database too long: ask for less, or try again',
  });
}
