import { type Ack, ack } from '@evenkeel/protocol';
import type { Socket } from 'socket.io-client';

/** How patient a client is, in milliseconds. */
export interface Patience {
  /** What an answer may take before its message is sent again. */
  answer: number;
  /** The pause before a message is sent again; it doubles each time, up to `longestPause`. */
  pause: number;
  longestPause: number;
}

const UNREADABLE: Ack = { error: 'the server gave an answer that this client cannot read', field: '', retry: true };

/**
 * Sends a message, and again after a pause wherever the answer stays away or asks for that, until the server takes
 * it or refuses it for good. Null where the line breaks before. A late answer to an earlier sending counts.
 */
export function insist(
  socket: Socket,
  event: string,
  message: unknown,
  patience: Patience,
  line: AbortSignal,
): Promise<Ack | null> {
  return new Promise((resolve) => {
    let pause = patience.pause / 2;
    let timer: NodeJS.Timeout | undefined;
    let settled = false;
    const settle = (answer: Ack | null) => {
      settled = true;
      clearTimeout(timer);
      line.removeEventListener('abort', onBreak);
      resolve(answer);
    };
    const onBreak = () => settle(null);
    const sendAfter = (delay: number) => {
      clearTimeout(timer);
      timer = setTimeout(send, delay).unref();
    };
    const onAnswer = (received: unknown) => {
      if (settled) return;
      const { data: answer = UNREADABLE } = ack.safeParse(received);
      if ('error' in answer && answer.retry) sendAfter(pause);
      else settle(answer);
    };
    const send = () => {
      pause = Math.min(2 * pause, patience.longestPause);
      socket.emit(event, message, onAnswer);
      sendAfter(patience.answer + pause);
    };
    line.addEventListener('abort', onBreak);
    send();
  });
}
