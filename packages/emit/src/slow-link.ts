import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

/** A link passes what it may in slices this long, in milliseconds. */
const SLICE = 20;

/** A TCP proxy on loopback whose way up to the server carries so many bytes a second; the way down is free. */
export class SlowLink {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #resume: (() => void)[] = [];
  /** Bytes a second; at 0 everything waits. */
  #rate: number;
  /** Bytes that came to the link from emitters. */
  sent = 0;

  private constructor(target: string, rate: number) {
    this.#rate = rate;
    const { port, hostname } = new URL(target);
    this.#server = createServer((near) => this.#join(near, connect(Number(port), hostname)));
  }

  static async listen(target: string, rate: number): Promise<SlowLink> {
    const link = new SlowLink(target, rate);
    link.#server.listen(0, '127.0.0.1');
    await once(link.#server, 'listening');
    return link;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  set rate(rate: number) {
    this.#rate = rate;
    for (const resume of this.#resume.splice(0)) resume();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(near: Socket, far: Socket): void {
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on('error', () => {}); // 'close' follows
      socket.on('close', () => {
        this.#sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    far.pipe(near);
    void this.#carry(near, far);
  }

  async #carry(near: Socket, far: Socket): Promise<void> {
    try {
      for await (const chunk of near as AsyncIterable<Buffer>) {
        this.sent += chunk.length;
        await this.#pass(chunk, far);
      }
      far.end();
    } catch {
      // the emitter hung up
    }
  }

  async #pass(chunk: Buffer, far: Socket): Promise<void> {
    for (let at = 0; at < chunk.length && !far.destroyed; ) {
      if (this.#rate === 0) await new Promise<void>((resume) => this.#resume.push(resume));
      else await new Promise((wake) => setTimeout(wake, SLICE));
      const slice = Math.ceil((this.#rate * SLICE) / 1_000);
      far.write(chunk.subarray(at, at + slice));
      at += slice;
    }
  }
}
