import type { Ack, StartRequest } from '@evenkeel/protocol';

/** Attempts in a row that a server may have missed; more than that is a wrong number rather. */
const MAX_MISSED = 100;

/** Sends a start and resolves to its answer; null where the connection broke before. */
type SendStart = (start: StartRequest) => Promise<Ack | null>;

/**
 * Starts an attempt. A server takes attempts one by one; where it could not be reached for the whole of an earlier one,
 * it refuses the next by the field `attempt`. The missed ones are then opened first, and stay without steps.
 * @returns the answer to the start, or to what kept it from being sent; null where the connection broke.
 */
export async function openAttempt(start: StartRequest, send: SendStart): Promise<Ack | null> {
  const answer = await send(start);
  const { attempt: wanted } = start;
  if (typeof wanted !== 'number' || !isOutOfTurn(answer)) return answer;
  const lowest = Math.max(1, wanted - MAX_MISSED);
  for (let attempt = wanted - 1; attempt >= lowest; attempt--) {
    const opened = await send({ ...start, attempt });
    if (isAccepted(opened)) return openFrom(attempt + 1, { ...start, attempt: wanted }, send);
    if (!isOutOfTurn(opened)) return opened;
  }
  return answer;
}

async function openFrom(
  first: number,
  start: StartRequest & { attempt: number },
  send: SendStart,
): Promise<Ack | null> {
  for (let attempt = first; attempt < start.attempt; attempt++) {
    const opened = await send({ ...start, attempt });
    if (!isAccepted(opened)) return opened;
  }
  return send(start);
}

function isAccepted(answer: Ack | null): boolean {
  return answer !== null && 'ok' in answer;
}

function isOutOfTurn(answer: Ack | null): boolean {
  return answer !== null && 'error' in answer && answer.field === 'attempt';
}
