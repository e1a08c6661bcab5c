import { type Ack, ack } from '@evenkeel/protocol';
import type { Socket } from 'socket.io-client';
import { whenReceived } from './detached-websocket.ts';

/** In milliseconds. */
export interface RetryPolicy {
  /**
   * How long an answer may take before the server is asked whether it has received the message, and how long from then
   * on before it is sent again; doubles each time, up to `longestAnswer`.
   */
  answer: number;
  longestAnswer: number;
  /** The pause before a message whose answer asks for it is sent again; it doubles each time, up to `longestPause`. */
  pause: number;
  longestPause: number;
}

const UNREADABLE: Ack = { error: 'the server gave an answer that this client cannot read', field: '', retry: true };

/**
 * Sends a message until the server takes it or refuses it for good; null where the connection breaks before.
 *
 * The message is sent again where its answer asks for that, and where the server has received the whole of it and does
 * not answer. Without a sign that it was received it is never sent again on the same connection: a connection keeps
 * what is sent in order and loses nothing, so a second copy would only wait behind the first. Whether the connection is
 * alive is for the heartbeat of socket.io to judge. A late answer to an earlier sending counts.
 */
export function retry(
  socket: Socket,
  event: string,
  message: unknown,
  policy: RetryPolicy,
  line: AbortSignal,
): Promise<Ack | null> {
  return new Promise((resolve) => {
    let answerTime = policy.answer / 2;
    let pause = policy.pause / 2;
    let cancel = () => {};
    let settled = false;
    const settle = (answer: Ack | null) => {
      settled = true;
      cancel();
      line.removeEventListener('abort', onBreak);
      resolve(answer);
    };
    const onBreak = () => settle(null);
    const after = (delay: number, act: () => void) => {
      cancel();
      const timer = setTimeout(act, delay).unref();
      cancel = () => clearTimeout(timer);
    };
    const onAnswer = (received: unknown) => {
      if (settled) return;
      const { data: answer = UNREADABLE } = ack.safeParse(received);
      if (!('error' in answer && answer.retry)) return settle(answer);
      pause = Math.min(2 * pause, policy.longestPause);
      after(pause, send);
    };
    const onSilence = () => {
      cancel = whenReceived(socket, () => after(answerTime, send));
    };
    const send = () => {
      answerTime = Math.min(2 * answerTime, policy.longestAnswer);
      socket.emit(event, message, onAnswer);
      after(answerTime, onSilence);
    };
    line.addEventListener('abort', onBreak);
    send();
  });
}
