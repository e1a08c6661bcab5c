import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];

/** A name, an IPv4 or a bracketed IPv6 address, then perhaps a port. */
const HOST = /^([\w.-]+|\[[\da-f:.]+\])(?::\d{1,5})?$/;

/** Whether a server bound to `host` can be reached from this machine only. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

/**
 * Checks the `Host` and `Origin` of every request and every websocket.
 * A page of another site can make a browser send requests here (cross-site request forgery) or point its own name at this
 * address (DNS rebinding); the `Origin` and `Host` headers show both. An address written as numbers cannot be rebound, so
 * it always passes.
 */
export class OriginGuard {
  readonly #names: Set<string>;

  constructor(allowedHosts: readonly string[]) {
    this.#names = new Set([...LOOPBACK_NAMES, ...allowedHosts.map((name) => name.toLowerCase())]);
  }

  /** The problem with the request's Host or Origin, as a sentence for the sender; null if there is none. */
  problem({ headers: { host = '', origin } }: IncomingMessage): string | null {
    const name = HOST.exec(host.toLowerCase())?.[1];
    if (name === undefined) return 'The request names no host.';
    if (!this.#names.has(name) && isIP(name.replace(/^\[|\]$/g, '')) === 0) {
      return `This server does not answer to "${name}". Start it with --allow-host ${name} if it should.`;
    }
    // A proxy that speaks TLS makes the page's origin https while the request here is http.
    if (origin !== undefined && origin.toLowerCase().replace(/^https?:\/\//, '') !== host.toLowerCase()) {
      return 'This request comes from a page of another site.';
    }
    return null;
  }
}
