#!/usr/bin/env bash
# socket.io 4.8.4 on ws: `socket.disconnect(true)` on the server closes the websocket with a handshake, and until the
# client's answer comes the server goes on reading, unmasking and parsing all that the client has queued. Of 100 messages
# of 900 kB it reads every one after it has disconnected at the first. A good guess is that nothing more is read.
# Destroying the TCP connection of the handshake's request stops it at once.
#
# Seen with Node.js 20.20.2 on Linux; the output of this script:
#   disconnect(true): handlers ran for 1 message, 90.0 MB of 90.0 MB were read
#   request.socket.destroy(): handlers ran for 1 message, less than 20 MB of 90.0 MB were read
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund socket.io@4.8.4 socket.io-client@4.8.4 >/dev/null
cat >measure.mjs <<'JS'
import { createServer } from 'node:http';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';

const MESSAGES = 100;
const BYTES = 900_000;

/** How many messages were handled, and how many bytes the server had read when the connection was gone. */
async function measure(cutOff) {
  const http = createServer();
  const server = new Server(http, { transports: ['websocket'] });
  let handled = 0;
  let connection;
  http.on('connection', (socket) => {
    connection = socket;
  });
  server.on('connection', (socket) => {
    socket.on('data', () => {
      handled += 1;
      cutOff(socket);
    });
  });
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  const client = io(`http://127.0.0.1:${http.address().port}`, { transports: ['websocket'], reconnection: false });
  await new Promise((resolve) => client.once('connect', resolve));
  const gone = new Promise((resolve) => connection.once('close', resolve));
  const data = Buffer.alloc(BYTES, 1);
  for (let sent = 0; sent < MESSAGES; sent++) client.emit('data', data);
  await gone;
  const read = connection.bytesRead;
  client.disconnect();
  server.close();
  return { handled, read };
}

const megabytes = (bytes) => `${(bytes / 1e6).toFixed(1)} MB`;
const all = MESSAGES * BYTES;
const polite = await measure((socket) => socket.disconnect(true));
console.log(`disconnect(true): handlers ran for ${polite.handled} message, ${megabytes(polite.read)} of ${megabytes(all)} were read`);
const blunt = await measure((socket) => socket.request.socket.destroy());
console.log(`request.socket.destroy(): handlers ran for ${blunt.handled} message, ${blunt.read < 20e6 ? 'less than 20 MB' : megabytes(blunt.read)} of ${megabytes(all)} were read`);
process.exit(polite.handled === 1 && polite.read >= all && blunt.read < 20e6 ? 0 : 1);
JS
node measure.mjs
