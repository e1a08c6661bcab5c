import { createHmac, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { ANONYMOUS, type Principal } from '@evenkeel/protocol';
import type { ClientAddresses } from './client-address.ts';

const COOKIE = 'evenkeel_session';
const LIFETIME_MS = 30 * 24 * 60 * 60 * 1000;
const FAILURES_PER_MINUTE = 10;
const REMEMBERED_ADDRESSES = 1_000;

/**
 * Viewers send the access token once and get a signed cookie. Without an access token everybody is authorized, which
 * the server allows on loopback only.
 */
export class Sessions {
  readonly #token: string | null;
  readonly #now: () => Date;
  readonly #addresses: ClientAddresses;
  /** Wrong tokens by address, within the current minute. */
  readonly #failures = new Map<string, number>();
  #minute = 0;

  constructor(token: string | null, now: () => Date, addresses: ClientAddresses) {
    this.#token = token;
    this.#now = now;
    this.#addresses = addresses;
  }

  /** Whether everybody is authorized, because there is no access token. */
  get isOpen(): boolean {
    return this.#token === null;
  }

  /** Whether a secret is the access token, for a client that has no session. */
  isToken(secret: string): boolean {
    return this.#token !== null && sameText(secret, this.#token);
  }

  /** Who sends the request; null where it is not authorized. All viewers with the token are one principal. */
  viewerOf(request: IncomingMessage): Principal | null {
    return this.isAuthorized(request) ? ANONYMOUS : null;
  }

  /** Whether the request carries a valid cookie, or the token itself as `Authorization: Bearer`. */
  isAuthorized(request: IncomingMessage): boolean {
    const { headers } = request;
    if (this.#token === null) return true;
    const bearer = /^Bearer (.+)$/.exec(headers.authorization ?? '')?.[1];
    if (bearer !== undefined) return this.#check(bearer, request) === 'right';
    return this.#session(request) !== null;
  }

  /** The viewer whose limits a request counts towards: its session, or else its address. */
  viewer(request: IncomingMessage): string {
    return (this.#token && this.#session(request)) ?? this.#addresses.of(request);
  }

  /** The session of the request's cookie; null where it is missing or invalid. */
  #session({ headers }: IncomingMessage): string | null {
    const cookie = new RegExp(`(?:^|; )${COOKIE}=(\\d+)\\.([\\w-]+)`).exec(headers.cookie ?? '');
    const [, expiry = '', signature = ''] = cookie ?? [];
    const isValid = Number(expiry) > this.#now().getTime() && sameText(signature, this.#sign(expiry));
    return isValid ? `session ${expiry}` : null;
  }

  /** The `Set-Cookie` header for a valid token, or why there is none. */
  signIn(token: string, request: IncomingMessage): { cookie: string } | 'wrong' | 'wait' {
    const answer = this.#check(token, request);
    if (answer !== 'right') return answer;
    const expiry = String(this.#now().getTime() + LIFETIME_MS);
    const secure = request.headers['x-forwarded-proto'] === 'https' ? '; Secure' : '';
    // Lax, so that a link in a chat opens the page signed in; the origin guard refuses foreign origins.
    const attributes = `Path=/; HttpOnly; SameSite=Lax; Max-Age=${LIFETIME_MS / 1000}${secure}`;
    return { cookie: `${COOKIE}=${expiry}.${this.#sign(expiry)}; ${attributes}` };
  }

  /**
   * The right token is never refused, however many wrong ones came from its address: others may share it, as all
   * clients of an untrusted proxy do. So the limit does not prevent a right guess; the token's length does.
   */
  #check(token: string, request: IncomingMessage): 'right' | 'wrong' | 'wait' {
    if (this.#token !== null && sameText(token, this.#token)) return 'right';
    return this.countWrong(request) ? 'wrong' : 'wait';
  }

  /** Counts a wrong secret of an address, also of a client that has no session. @returns false where it is to wait. */
  countWrong(request: IncomingMessage): boolean {
    const address = this.#addresses.of(request);
    const failures = this.#failuresOf(address);
    if (failures >= FAILURES_PER_MINUTE) return false;
    this.#failures.set(address, failures + 1);
    return true;
  }

  #failuresOf(address: string): number {
    const minute = Math.floor(this.#now().getTime() / 60_000);
    if (minute !== this.#minute || this.#failures.size > REMEMBERED_ADDRESSES) this.#failures.clear();
    this.#minute = minute;
    return this.#failures.get(address) ?? 0;
  }

  #sign(expiry: string): string {
    return createHmac('sha256', this.#token ?? '')
      .update(`evenkeel session until ${expiry}`)
      .digest('base64url');
  }
}

/** Compares in a time that does not depend on where the texts differ. */
function sameText(a: string, b: string): boolean {
  const digest = (text: string) => createHmac('sha256', 'compare').update(text).digest();
  return timingSafeEqual(digest(a), digest(b));
}
