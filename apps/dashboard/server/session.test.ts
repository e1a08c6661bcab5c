import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { expect, test } from 'vitest';
import { ClientAddresses } from './client-address.ts';
import { Sessions } from './session.ts';

const TOKEN = 'a token for this test';
const DAY_MS = 24 * 60 * 60 * 1000;

/** Sessions by a clock that the test moves. */
function startSessions(token: string | null = TOKEN, trustedProxies: string[] = []) {
  const clock = { ms: Date.UTC(2026, 0, 1) };
  const addresses = new ClientAddresses(trustedProxies);
  return { clock, sessions: new Sessions(token, () => new Date(clock.ms), addresses) };
}

function request(headers: Record<string, string> = {}, address = '10.0.0.1'): IncomingMessage {
  const socket = new Socket();
  Object.defineProperty(socket, 'remoteAddress', { value: address });
  const message = new IncomingMessage(socket);
  Object.assign(message.headers, headers);
  return message;
}

/** The cookie of who signs in, without its attributes. */
function cookieOf(sessions: Sessions): string {
  const answer = sessions.signIn(TOKEN, request());
  if (typeof answer === 'string') throw new Error(answer);
  return answer.cookie.split(';')[0] ?? '';
}

test('without an access token everybody may view', () => {
  expect(startSessions(null).sessions.isAuthorized(request())).toBe(true);
});

test('who signs in may view, for 30 days', () => {
  const { sessions, clock } = startSessions();
  const cookie = cookieOf(sessions);
  expect(sessions.isAuthorized(request({ cookie }))).toBe(true);
  expect(sessions.isAuthorized(request({ cookie: `theme=dark; ${cookie}; other=1` }))).toBe(true);
  clock.ms += 30 * DAY_MS - 1;
  expect(sessions.isAuthorized(request({ cookie }))).toBe(true);
  clock.ms += 1;
  expect(sessions.isAuthorized(request({ cookie }))).toBe(false);
});

test('a cookie that was not given by this server, or was changed, opens nothing', () => {
  const { sessions } = startSessions();
  const cookie = cookieOf(sessions);
  const later = cookie.replace(/=\d/, '=9');
  const another = cookieOf(startSessions().sessions).replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
  const ofAnotherToken = new Sessions('another token entirely', () => new Date(), new ClientAddresses([]));
  expect(ofAnotherToken.isAuthorized(request({ cookie }))).toBe(false);
  for (const wrong of [later, another, `x${cookie}`, cookie.split('.')[0] ?? '', 'evenkeel_session=', `a=${cookie}`])
    expect([wrong, sessions.isAuthorized(request({ cookie: wrong }))]).toEqual([wrong, false]);
});

test('the token itself opens as a bearer, and a wrong one does not', () => {
  const { sessions } = startSessions();
  expect(sessions.isAuthorized(request())).toBe(false);
  expect(sessions.isAuthorized(request({ authorization: `Bearer ${TOKEN}` }))).toBe(true);
  for (const authorization of ['Bearer wrong', 'Bearer ', `Basic ${TOKEN}`, TOKEN, `Bearer ${TOKEN} `])
    expect([authorization, sessions.isAuthorized(request({ authorization }))]).toEqual([authorization, false]);
});

test('the cookie is closed to scripts and to other sites, and kept to TLS where a proxy speaks it', () => {
  const { sessions } = startSessions();
  const attributes = /; Path=\/; HttpOnly; SameSite=Lax; Max-Age=2592000$/;
  expect(sessions.signIn(TOKEN, request())).toEqual({ cookie: expect.stringMatching(attributes) });
  const behindTls = sessions.signIn(TOKEN, request({ 'x-forwarded-proto': 'https' }));
  expect(behindTls).toEqual({ cookie: expect.stringMatching(/; Secure$/) });
});

test('after ten wrong tokens of an address in a minute its next wait until the next minute, and those of no other', () => {
  const { sessions, clock } = startSessions();
  for (let attempt = 0; attempt < 10; attempt++) expect(sessions.signIn('guess', request())).toBe('wrong');
  expect(sessions.signIn('guess', request())).toBe('wait');
  expect(sessions.isAuthorized(request({ authorization: 'Bearer guess' }))).toBe(false);
  expect(sessions.signIn('guess', request({}, '10.0.0.2'))).toBe('wrong');
  clock.ms += 60_000;
  expect(sessions.signIn('guess', request())).toBe('wrong');
});

test('a wrong bearer counts as a wrong token', () => {
  const { sessions } = startSessions();
  for (let attempt = 0; attempt < 10; attempt++) sessions.isAuthorized(request({ authorization: 'Bearer guess' }));
  expect(sessions.signIn('guess', request())).toBe('wait');
});

test('wrong tokens of one person behind a proxy lock nobody out: a right token or cookie is never refused', () => {
  const { sessions } = startSessions();
  const cookie = cookieOf(sessions);
  for (let attempt = 0; attempt < 20; attempt++) sessions.signIn('guess', request());
  expect(sessions.signIn(TOKEN, request())).toHaveProperty('cookie');
  expect(sessions.isAuthorized(request({ authorization: `Bearer ${TOKEN}` }))).toBe(true);
  expect(sessions.isAuthorized(request({ cookie }))).toBe(true);
});

test('behind a trusted proxy wrong tokens count for the client that it names, not for all', () => {
  const { sessions } = startSessions(TOKEN, ['10.0.0.1']);
  const behind = (client: string) => request({ 'x-forwarded-for': client });
  for (let attempt = 0; attempt < 10; attempt++) sessions.signIn('guess', behind(`1.1.1.${attempt}, 203.0.113.9`));
  expect(sessions.signIn('guess', behind('203.0.113.9'))).toBe('wait');
  expect(sessions.signIn('guess', behind('203.0.113.10'))).toBe('wrong');
});

test('only failed sign-ins count: who signs in often does not wait', () => {
  const { sessions } = startSessions();
  for (let attempt = 0; attempt < 50; attempt++) cookieOf(sessions);
  expect(sessions.signIn('guess', request())).toBe('wrong');
});

test('who may view is somebody, and nobody else is', () => {
  const { sessions } = startSessions();
  expect(sessions.viewerOf(request({ authorization: `Bearer ${TOKEN}` }))).toEqual({ kind: 'anonymous' });
  expect(sessions.viewerOf(request())).toBeNull();
});
