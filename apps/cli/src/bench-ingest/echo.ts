import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { encodeSteps } from '@evenkeel/protocol';
import { WebSocket } from 'ws';
import { type Load, stepsOf } from './load.ts';
import { Part } from './part.ts';

/** Steps a second that go to another process and back as they are, over a bare websocket, in batches of the same bytes. */
export async function measureEcho(load: Load, durationMs: number): Promise<number> {
  const part = await Part.start<null>({ kind: 'echo' });
  const socket = new WebSocket(part.ready.url ?? '', { perMessageDeflate: false });
  try {
    await once(socket, 'open');
    const steps = Array.from({ length: load.batch }, (_, at) => stepsOf(load)(at));
    const frame = encodeSteps({ run: randomUUID(), attempt: 1, steps });
    const until = performance.now() + durationMs;
    const began = performance.now();
    let [returned, away] = [0, 0];
    await new Promise<void>((resolve) => {
      const send = () => {
        away += 1;
        socket.send(frame);
      };
      socket.on('message', () => {
        away -= 1;
        returned += 1;
        if (performance.now() < until) send();
        else if (away === 0) resolve();
      });
      for (let sent = 0; sent < load.emitters; sent++) send(); // one batch of each is on its way, as emit has it
    });
    return (1_000 * returned * load.batch) / (performance.now() - began);
  } finally {
    socket.terminate();
    await part.end();
  }
}
