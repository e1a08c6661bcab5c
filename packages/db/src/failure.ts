/** By SQLSTATE, or its first two digits, which are its class, or Node's code of a connection that fails. */
const SENTENCES: Record<string, string> = {
  '25006': 'the database is read-only',
  '55P03': 'a table that steps are stored in is locked',
  '57014': 'the database did not finish within its time limit',
  '57P01': 'the database is shutting down',
  '57P02': 'the database is shutting down',
  '57P03': 'the database is starting or shutting down',
  '53100': "the database's disk is full",
  '53200': 'the database is out of memory',
  '53300': 'the database has too many connections',
  '58000': 'the embedded database hangs',
  '42501': "the server's database role may not write",
  '08': 'the connection to the database broke',
  '28': 'the database refuses the login',
  '3D': 'the database does not exist',
  EPIPE: 'the connection to the database broke',
  ECONNREFUSED: 'the database cannot be reached',
  ECONNRESET: 'the connection to the database broke',
  EHOSTUNREACH: 'the database cannot be reached',
  ENOTFOUND: "the database's host is unknown",
  ETIMEDOUT: 'the database does not answer',
};

/** What the driver `pg` says of a connection without a code. */
const WITHOUT_CODE: Record<string, string> = {
  'Connection terminated': 'the connection to the database broke',
  'Connection terminated unexpectedly': 'the connection to the database broke',
  'Client has encountered a connection error and is not queryable': 'the connection to the database broke',
  'Connection terminated due to connection timeout': 'the database does not answer',
  'timeout exceeded when trying to connect': 'the database does not answer',
  'timeout expired': 'the database does not answer',
};

/** What a failed query means, as a sentence for whoever runs the server: without statement, parameters or addresses. */
export function describeFailure(error: unknown): string {
  const code = codeOf(error);
  const known = code === null ? withoutCode(error) : (SENTENCES[code] ?? SENTENCES[code.slice(0, 2)]);
  return known ?? "the database failed: the server's log says why";
}

/** Drizzle wraps the driver's error, and Node makes one of all addresses that refuse. */
function codeOf(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if ('code' in error && typeof error.code === 'string') return error.code;
  return codeOf(error.cause);
}

function withoutCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  return WITHOUT_CODE[error.message] ?? withoutCode(error.cause);
}
