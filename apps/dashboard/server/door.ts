import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';

const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]'];

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
  problem({ headers: { host, origin } }: IncomingMessage): string | null {
    const asked = host === undefined ? null : parseHost(`http://${host}`);
    if (!asked) return 'The request names no host.';
    if (!this.#names.has(asked.hostname) && isIP(asked.hostname.replace(/^\[|\]$/g, '')) === 0) {
      return `This server does not answer to "${asked.hostname}". Start it with --allow-host ${asked.hostname} if it should.`;
    }
    if (origin !== undefined && parseHost(origin)?.host !== asked.host) {
      return 'This request comes from a page of another site.';
    }
    return null;
  }
}

function parseHost(url: string): { host: string; hostname: string } | null {
  if (!URL.canParse(url)) return null;
  const { host, hostname } = new URL(url);
  return { host: host.toLowerCase(), hostname: hostname.toLowerCase() };
}
