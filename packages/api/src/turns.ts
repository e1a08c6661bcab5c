import pLimit from 'p-limit';

/** Calls that run at once, whoever asks. The others wait: neither the database nor the event loop is theirs alone. */
export const reads = pLimit(2);
export const writes = pLimit(4);

/** What an answer may come to, in bytes of JSON; an answer that streams has no such limit. */
export const MAX_ANSWER_BYTES = 16 * 1024 * 1024;
