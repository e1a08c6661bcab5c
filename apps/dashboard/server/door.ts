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
 * Checks who is being asked and on whose behalf, on every request and every websocket.
 * A page of another site can make a browser send requests here (cross-site request forgery) or rename itself to this
 * address (DNS rebinding); the `Origin` and `Host` headers give both away. An address written as numbers can't be
 * renamed, so it always passes.
 */
export class Door {
  readonly #names: Set<string>;

  constructor(allowedHosts: readonly string[]) {
    this.#names = new Set([...LOOPBACK_NAMES, ...allowedHosts.map((name) => name.toLowerCase())]);
  }

  /** What is wrong with the request's Host or Origin, in words for whoever sent it; null if nothing is. */
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
