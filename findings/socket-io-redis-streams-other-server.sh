#!/usr/bin/env bash
# @socket.io/redis-streams-adapter 0.3.1: a broadcast that holds binary data reaches the clients of other servers in another
# form than the clients of the server that sent it. The own server encodes it as JSON with attachments, the way to the others
# is msgpack: there an ArrayBuffer becomes an empty object and its bytes are lost, undefined fields become null, and toJSON
# is not called. Without binary data in the message the way is JSON, and all clients receive the same. A good guess is that an
# adapter changes nothing about what is received, above all not on some servers only. Buffers and typed arrays, also views of
# a part, arrive whole.
#
# Seen with Node.js 20.20.2, socket.io 4.8.4, redis 6.3.1 and Redis 7.0.15 on Linux; the output of this script:
#   a Buffer: the same on both servers
#   a part of a Float32Array: the same on both servers
#   an ArrayBuffer: 8 bytes on its own server, {} on the other
#   an undefined field without binary data: the same on both servers
#   an undefined field beside a Buffer: absent on its own server, null on the other
#   a toJSON beside a Buffer: "3 steps" on its own server, {"steps":3} on the other
# It needs a Redis, by default on 127.0.0.1:6379; REDIS_URL names another.
set -euo pipefail
script=$(realpath "$0")
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init -y >/dev/null
npm install --silent --no-audit --no-fund socket.io@4.8.4 socket.io-client@4.8.4 redis@6.3.1 \
  @socket.io/redis-streams-adapter@0.3.1 >/dev/null
cat >compare.mjs <<'JS'
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createAdapter } from '@socket.io/redis-streams-adapter';
import { createClient } from 'redis';
import { Server } from 'socket.io';
import { io } from 'socket.io-client';

const streamName = `finding-${randomUUID()}`;
const url = process.env.REDIS_URL ?? 'redis://127.0.0.1:6379';

async function startServer() {
  const redis = createClient({ url });
  await redis.connect();
  const http = createServer();
  const server = new Server(http, { adapter: createAdapter(redis, { streamName, channelPrefix: streamName }) });
  await once(http.listen(0, '127.0.0.1'), 'listening');
  const client = io(`http://127.0.0.1:${http.address().port}`, { transports: ['websocket'] });
  await once(client, 'connect');
  return { server, redis, client };
}

const own = await startServer();
const other = await startServer();

// Until the other server reads the stream, nothing of the first one arrives there.
for (let isReached = false; !isReached; ) {
  own.server.emit('ping');
  isReached = await Promise.race([
    once(other.client, 'ping').then(() => true),
    new Promise((resolve) => setTimeout(() => resolve(false), 200)),
  ]);
}

class Progress {
  constructor(steps) {
    this.steps = steps;
  }
  toJSON() {
    return `${this.steps} steps`;
  }
}
const frame = Buffer.from([1]);
const cases = {
  'a Buffer': { value: frame },
  'a part of a Float32Array': { value: new Float32Array([0, 1, 2, 3]).subarray(1, 3) },
  'an ArrayBuffer': { value: new Float32Array([1, 2]).buffer },
  'an undefined field without binary data': { value: undefined },
  'an undefined field beside a Buffer': { value: undefined, frame },
  'a toJSON beside a Buffer': { value: new Progress(3), frame },
};

function shown(message) {
  if (!('value' in message)) return 'absent';
  const { value } = message;
  return Buffer.isBuffer(value) || ArrayBuffer.isView(value) ? `${value.byteLength} bytes` : JSON.stringify(value);
}

for (const [what, message] of Object.entries(cases)) {
  const arrived = Promise.all([own, other].map(({ client }) => once(client, 'case')));
  own.server.emit('case', message);
  const [[here], [there]] = await arrived;
  const isSame = JSON.stringify(here) === JSON.stringify(there);
  const how = isSame ? 'the same on both servers' : `${shown(here)} on its own server, ${shown(there)} on the other`;
  console.log(`${what}: ${how}`);
}
await own.redis.del(streamName);
process.exit();
JS
node compare.mjs | tee seen
sed -n 's/^#   \(.*server.*\)$/\1/p' "$script" >expected
diff expected seen
