import type { CommandRow, Database } from '@evenkeel/db';
import { type Action, type Alert, type Command, isJson, RefusedError, type RuleSettings } from '@evenkeel/protocol';
import { initTRPC, TRPCError } from '@trpc/server';
import superjson from 'superjson';
import { ZodError } from 'zod';

export interface ApiContext {
  db: Database;
  now: () => Date;
  /** Gives a command to a run's trainer; resolves to what has come of it so far. */
  command: (given: Pick<Command, 'run' | 'by' | 'reason'> & { action: Action }) => Promise<CommandRow>;
  /** Makes a project's rules hold for runs that are under way. */
  rulesChanged: (project: string, rules: RuleSettings) => void;
  /** Tells live viewers that somebody described a run, archived it, brought it back or deleted it. */
  runEdited: (run: string) => void;
  /** Tells live viewers that somebody acknowledged or resolved an alert. */
  alertChanged: (alert: Alert) => void;
  /** Makes a created or revoked key hold for emitters that are already connected. */
  keysChanged: () => Promise<void>;
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

/** Every procedure: what the database refuses becomes a client's error; the rest is ours. */
export const procedure = t.procedure.use(async ({ next }) => {
  const result = await next();
  if (!result.ok && result.error.cause instanceof RefusedError) {
    const { field, message } = result.error.cause;
    throw new TRPCError({ code: 'BAD_REQUEST', message: field ? `${field}: ${message}` : message });
  }
  return result;
});
