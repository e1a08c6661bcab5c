import { connect, createServer, type Server } from 'node:net';

/** What a socket of the lock answers to whoever connects. */
export interface Answer {
  pid: number;
  url: string | null;
  /** Whether its process holds the directory, or is still finding out. */
  holding: boolean;
}

const ANSWER_TIMEOUT_MS = 2000;

/** Answers every connection on a unix socket or named pipe, and keeps no process alive. */
export async function listen(path: string, answer: Answer): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return server.unref();
}

/** @returns the answer, `silent` from a living process that gives none, or null where no process listens. */
export async function ask(path: string): Promise<Answer | 'silent' | null> {
  for (;;) {
    const answer = await askOnce(path);
    if (answer !== 'cut off') return answer; // cut off: its process ended as we asked, so the next try finds no process
  }
}

function askOnce(path: string): Promise<Answer | 'silent' | 'cut off' | null> {
  return new Promise((resolve) => {
    const socket = connect(path);
    let text = '';
    socket.setEncoding('utf8').setTimeout(ANSWER_TIMEOUT_MS);
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('timeout', () => settle('silent'));
    socket.on('end', () => settle(text ? (JSON.parse(text) as Answer) : 'cut off'));
    socket.on('error', (error: NodeJS.ErrnoException) => settle(verdict(error.code)));
    const settle = (outcome: Answer | 'silent' | 'cut off' | null) => {
      socket.destroy();
      resolve(outcome);
    };
  });
}

function verdict(code: string | undefined): 'silent' | 'cut off' | null {
  if (code === 'ECONNREFUSED' || code === 'ENOENT') return null;
  return code === 'ECONNRESET' || code === 'EPIPE' ? 'cut off' : 'silent';
}
