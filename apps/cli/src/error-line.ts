import { printable } from '@evenkeel/protocol';

/** A line of the log is no longer than this, in characters. */
const MAX_LINE = 1_000;
const MAX_MESSAGE = 300;
const MAX_QUERY = 200;
/** Length of a chain of causes; a longer one is a loop. */
const MAX_CAUSES = 20;
/** PostgreSQL's codes: five characters, of which at least one is a digit. */
const SQLSTATE = /^(?=.*\d)[0-9A-Z]{5}$/;

/**
 * One line with a message and its error, if any: escaped, of at most 1,000 characters, and without
 * the parameters of a failed query, which are user data and may be megabytes.
 */
export function errorLine(message: string, error?: unknown): string {
  const about = clip(withoutParameters(message), MAX_MESSAGE);
  const line = error === undefined ? about : `${about}: ${describe(error)}`;
  return clip(printable(line), MAX_LINE);
}

/** The last cause of an error; of an aggregate, its first error's. */
export function rootCause(error: Error): Error {
  return chainOf(error).at(-1) ?? error;
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return clip(withoutParameters(asText(error)), MAX_MESSAGE);
  const chain = chainOf(error);
  const cause = chain.at(-1) ?? error;
  const query = chain.map(queryOf).find((found) => found !== null);
  const code = 'code' in cause && typeof cause.code === 'string' ? cause.code : null;
  // An error with a code is the operating system's or PostgreSQL's; any other may be a bug.
  const place = code === null && query === undefined ? firstFrame(cause) : null;
  const parts = [code && SQLSTATE.test(code) && `SQLSTATE ${code}`, query && `in: ${query}`, place];
  const details = parts.filter(Boolean).join(', ');
  return `${messageOf(cause, code)}${details && ` (${details})`}`;
}

function chainOf(error: Error): Error[] {
  const chain: Error[] = [];
  for (let next: unknown = error; next instanceof Error && chain.length < MAX_CAUSES; next = causeOf(next))
    chain.push(next);
  return chain;
}

function causeOf(error: Error): unknown {
  return error instanceof AggregateError ? error.errors[0] : error.cause;
}

/** A data exception (SQLSTATE class 22) quotes the value that it is about. */
function messageOf({ name, message }: Error, code: string | null): string {
  const said = withoutParameters(message);
  const plain = code?.startsWith('22') && SQLSTATE.test(code) ? said.replace(/".*"/s, '"…"') : said;
  return clip(['Error', 'error'].includes(name) ? plain : `${name}: ${plain}`, MAX_MESSAGE);
}

/** The statement of an error of Drizzle, whose message holds every parameter besides. */
function queryOf(error: Error): string | null {
  if (!('query' in error && typeof error.query === 'string')) return null;
  return clip(
    clip(error.query, 4 * MAX_QUERY)
      .replace(/\s+/g, ' ')
      .trim(),
    MAX_QUERY,
  );
}

/** For messages without their error object, as Next.js prints them. */
function withoutParameters(text: string): string {
  const failed = text.indexOf('Failed query: ');
  const parameters = failed < 0 ? -1 : text.indexOf('\nparams: ', failed);
  return parameters < 0 ? text : text.slice(0, parameters);
}

/** A stack begins with the message, which may look like a frame itself. */
function firstFrame({ stack = '', message }: Error): string | null {
  const start = message ? stack.indexOf(message) + message.length : 0;
  const [, frame] = /^\s+(at .*)$/m.exec(stack.slice(start)) ?? [];
  return frame === undefined ? null : clip(frame, MAX_MESSAGE);
}

/** Anything can be thrown, even what has no string form. */
function asText(value: unknown): string {
  try {
    return String(value);
  } catch {
    return `a thrown ${typeof value}`;
  }
}

function clip(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}
