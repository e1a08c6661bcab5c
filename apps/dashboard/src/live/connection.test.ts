import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { encodeSteps } from '@evenkeel/protocol';
import { Server } from 'socket.io';
import { expect, it, vi } from 'vitest';
import { LiveConnection } from './connection.ts';

const RUN = '01890a5d-ac96-774b-bcce-b302099a8057';

async function startLive() {
  const http = createServer();
  const io = new Server(http);
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  const address = `http://127.0.0.1:${(http.address() as AddressInfo).port}/live`;
  const connection = new LiveConnection({ address, retryMs: 10 });
  const dispose = async () => {
    connection.close();
    await io.close();
  };
  return { live: io.of('/live'), connection, [Symbol.asyncDispose]: dispose };
}

it('says that it was refused, and gets in once it may', async () => {
  await using server = await startLive();
  let signedIn = false;
  server.live.use((_, next) => next(signedIn ? undefined : new Error('sign in first')));
  const refused = vi.fn();
  server.connection.onRefused(refused);
  await vi.waitFor(() => expect(refused.mock.calls.length).toBeGreaterThan(1), 30_000);
  expect(server.connection.status).toBe('lost');
  signedIn = true;
  await vi.waitFor(() => expect(server.connection.status).toBe('connected'), 30_000);
});

it('comes back when the server sends it away', async () => {
  await using server = await startLive();
  const connected = vi.fn();
  server.connection.onConnected(connected);
  server.live.once('connection', (socket) => socket.disconnect());
  await vi.waitFor(() => expect(connected).toHaveBeenCalledTimes(2), 30_000);
});

it('acknowledges a frame that it cannot process, and has the history read', async () => {
  await using server = await startLive();
  const behind = vi.fn();
  const steps = vi.fn();
  const complaint = vi.spyOn(console, 'error').mockImplementation(() => {});
  server.live.on('connection', (socket) => socket.on('watch', (_, answer) => answer()));
  await new Promise<void>((watching) => server.connection.watch(RUN, { steps, watching, behind }));
  const acknowledged = (frame: Uint8Array) => server.live.timeout(5_000).emitWithAck('steps', Buffer.from(frame));
  await acknowledged(Uint8Array.of(1, 2, 3));
  expect(behind).toHaveBeenCalledTimes(1);
  expect(complaint).toHaveBeenCalledTimes(1);
  await acknowledged(encodeSteps({ run: RUN, attempt: 1, steps: [{ step: 7, time: 0, loss: 1 }] }));
  expect(steps).toHaveBeenCalledTimes(1);
  complaint.mockRestore();
});
