import type { ClientRequest } from 'node:http';
import { NodeWebSocket } from 'engine.io-client';
import type { Socket } from 'socket.io-client';

/** What a server that no longer answers may take to say goodbye; `ws` alone would keep the process alive for 30 s. */
const CLOSE_TIMEOUT = 1_000;
/** The largest message read of a server, in bytes; a command with the longest reason takes 12 KiB. */
export const MAX_PAYLOAD = 256 * 1024;

/** A WebSocket that does not keep the process alive while it opens, and hardly while it closes. */
export class DetachedWebSocket extends NodeWebSocket {
  #pings = 0;

  override createSocket(uri: string, protocols: string | string[] | undefined, options: object): unknown {
    const finishRequest = (request: ClientRequest) => {
      request.on('socket', (socket) => socket.unref());
      request.end();
    };
    const bounds = { closeTimeout: CLOSE_TIMEOUT, maxPayload: MAX_PAYLOAD };
    return super.createSocket(uri, protocols, { ...options, ...bounds, finishRequest });
  }

  /**
   * Asks the server's end for a pong, and calls back when it comes; never where the connection breaks before.
   * Returns what cancels that.
   */
  ping(onPong: () => void): () => void {
    const { ws } = this;
    const ping = ++this.#pings;
    const cancel = () => void ws.off('pong', listener);
    const listener = (data: Buffer) => {
      if (Number(data) < ping) return; // it answers an earlier ping
      cancel();
      onPong();
    };
    ws.on('pong', listener);
    ws.ping(String(ping));
    return cancel;
  }
}

/**
 * Calls back once the server's end has received the whole of what was emitted in earlier turns of the event loop; never
 * where the connection breaks before. A websocket delivers in order, so the answer to a ping proves that; an empty
 * buffer of the socket does not, since the system and the path hold megabytes too. Returns what cancels that.
 */
export function whenReceived(socket: Socket, onReceived: () => void): () => void {
  const { transport } = socket.io.engine;
  return transport instanceof DetachedWebSocket ? transport.ping(onReceived) : () => {};
}

/** Whether a connection broke because the server sent more than {@link MAX_PAYLOAD} at once. */
export function isOverlong(details: unknown): boolean {
  const { description } = Object(details);
  return Object(Object(description).error).code === 'WS_ERR_UNSUPPORTED_MESSAGE_LENGTH';
}
