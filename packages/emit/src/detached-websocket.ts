import type { ClientRequest } from 'node:http';
import { NodeWebSocket } from 'engine.io-client';

/** What a server that no longer answers may take to say goodbye; `ws` alone would keep the process alive for 30 s. */
const CLOSE_TIMEOUT = 1_000;

/** A WebSocket that does not keep the process alive while it opens, and hardly while it closes. */
export class DetachedWebSocket extends NodeWebSocket {
  override createSocket(uri: string, protocols: string | string[] | undefined, options: object): unknown {
    const finishRequest = (request: ClientRequest) => {
      request.on('socket', (socket) => socket.unref());
      request.end();
    };
    return super.createSocket(uri, protocols, { ...options, closeTimeout: CLOSE_TIMEOUT, finishRequest });
  }
}
