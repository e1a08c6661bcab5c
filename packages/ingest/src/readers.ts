import type { IncomingMessage } from 'node:http';

/** Who may read through a door whose clients have no session: they present a secret with every request. */
export interface Readers {
  /** Whether viewers need no access token: then whoever may write reads all. */
  isOpen: boolean;
  /** Whether a secret is the access token of viewers. */
  isToken(secret: string): boolean;
  /** Counts a wrong secret of a client's address. @returns false where the client is to wait, since there were too many. */
  countWrong(request: IncomingMessage): boolean;
}
