import type { IncomingMessage } from 'node:http';
import { BlockList, isIP } from 'node:net';

/** An address, or a range of them such as `10.0.0.0/8`. */
interface Range {
  address: string;
  family: 'ipv4' | 'ipv6';
  /** Bits that all of them share. */
  prefix: number;
}

/** Null where the text is neither an address nor a range. */
export function readRange(text: string): Range | null {
  const [address = '', prefix, ...rest] = text.split('/');
  const bits = isIP(address) === 4 ? 32 : 128;
  if (isIP(address) === 0 || rest.length > 0 || (prefix !== undefined && !/^\d{1,3}$/.test(prefix))) return null;
  const shared = prefix === undefined ? bits : Number(prefix);
  return shared <= bits ? { address, family: bits === 32 ? 'ipv4' : 'ipv6', prefix: shared } : null;
}

/**
 * The addresses of clients. Behind a proxy every request has the proxy's address, and names its client in
 * `X-Forwarded-For`: the header is trusted from the configured proxies only.
 */
export class ClientAddresses {
  readonly #proxies = new BlockList();

  /** @param trustedProxies addresses or ranges, each of which {@link readRange} reads. */
  constructor(trustedProxies: readonly string[]) {
    for (const text of trustedProxies) {
      const range = readRange(text);
      if (!range) throw new Error(`${text} is neither an address nor a range`);
      this.#proxies.addSubnet(range.address, range.prefix, range.family);
    }
  }

  /**
   * Each proxy appends the address of its client, so the last address that is no trusted proxy is the client: what is
   * before it was sent by the client itself. Where the list ends without one, or in something that is no address, it is the
   * last proxy.
   */
  of({ socket, headers }: IncomingMessage): string {
    let client = plainAddress(socket.remoteAddress ?? '');
    const forwarded = [headers['x-forwarded-for'] ?? []].flat().join(',').split(',');
    while (this.#isProxy(client)) {
      const next = plainAddress(forwarded.pop() ?? '');
      if (isIP(next) === 0) break;
      client = next;
    }
    return client;
  }

  #isProxy(address: string): boolean {
    const family = isIP(address);
    return family !== 0 && this.#proxies.check(address, family === 4 ? 'ipv4' : 'ipv6');
  }
}

/** Without port, brackets and the prefix of an IPv4 address that came over IPv6. */
function plainAddress(text: string): string {
  const trimmed = text.trim();
  const bare = /^\[(.+)\](?::\d+)?$/.exec(trimmed)?.[1] ?? /^([\d.]+):\d+$/.exec(trimmed)?.[1] ?? trimmed;
  return /^::ffff:([\d.]+)$/i.exec(bare)?.[1] ?? bare;
}
