import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { NONCE_HEADER } from '../src/frame/nonce.ts';

const NONCE_BYTES = 16;

/** What Next.js's own router in the browser sends, of the headers that change how Next.js answers. */
const ROUTER_HEADERS = new Set([
  'rsc',
  'next-url',
  'next-router-state-tree',
  'next-router-prefetch',
  'next-router-segment-prefetch',
]);

/** For everything but pages: nothing in it may load or run. */
export const CLOSED_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** Next.js. Resolves when the page is rendered or abandoned. */
export type Pages = (request: IncomingMessage, response: ServerResponse) => Promise<void>;

/**
 * Hands a request to Next.js with a policy under which the page runs its own scripts only. Next.js and the layout put
 * the nonce, new for each request, on the inline scripts that they write; an injected script does not have it.
 */
export async function servePage(pages: Pages, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const nonce = randomBytes(NONCE_BYTES).toString('base64');
  const policy = pagePolicy(request.headers.host, nonce);
  removeSteeringHeaders(request.headers);
  request.headers['content-security-policy'] = policy; // where Next.js reads the nonce
  request.headers[NONCE_HEADER] = nonce;
  response.setHeader('Content-Security-Policy', policy);
  await pages(request, response);
}

/** With Next.js's internal headers a client could choose another route, skip a check or set its own nonce. */
function removeSteeringHeaders(headers: IncomingHttpHeaders): void {
  for (const name of Object.keys(headers)) {
    if (/^(?:x-|next-|content-security-policy)/.test(name) && !ROUTER_HEADERS.has(name)) delete headers[name];
  }
}

/** @param host of the page, which the origin guard has checked. */
function pagePolicy(host: string | undefined, nonce: string): string {
  // The grammar of a policy has no IPv6 address: there 'self' alone names the websocket.
  const websocket = host === undefined || host.startsWith('[') ? '' : ` ws://${host} wss://${host}`;
  return [
    "default-src 'self'",
    `script-src 'self' 'nonce-${nonce}'`,
    "style-src 'self' 'unsafe-inline'", // Mantine and charts style elements inline
    "img-src 'self' data:",
    `connect-src 'self'${websocket}`,
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ');
}
