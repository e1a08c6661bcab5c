import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import type { Measuring } from './part.ts';

/** A websocket server that sends every message back. */
export interface EchoTask {
  kind: 'echo';
}

export async function startEcho(): Promise<Measuring<null>> {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
  server.on('connection', (socket) =>
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
  );
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    ready: { runs: [], url: `ws://127.0.0.1:${port}` },
    begin: () => () => null,
    end: async () => {
      for (const client of server.clients) client.terminate();
      server.close();
    },
  };
}
