/** Calls in one request: the browser splits what a page asks for together, and the server refuses more. */
export const MAX_BATCH_CALLS = 10;
