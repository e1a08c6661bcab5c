/** Names of errors, as clients of MLflow know them, each with its status. */
const STATUSES = {
  INVALID_PARAMETER_VALUE: 400,
  RESOURCE_ALREADY_EXISTS: 400,
  UNAUTHENTICATED: 401,
  PERMISSION_DENIED: 403,
  RESOURCE_DOES_NOT_EXIST: 404,
  ENDPOINT_NOT_FOUND: 404,
  REQUEST_LIMIT_EXCEEDED: 429,
  TEMPORARILY_UNAVAILABLE: 503,
} as const;
/** A client raises at once at a status below 500 but 429, and sends the same again at the others. */
export type ErrorCode = keyof typeof STATUSES;

/** The answer to a request that is not carried out, in the form that clients of MLflow read. */
export class MlflowError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string) {
    super(message);
    this.name = 'MlflowError';
    this.code = code;
  }

  get status() {
    return STATUSES[this.code];
  }

  toAnswer() {
    return { error_code: this.code, message: this.message };
  }
}
