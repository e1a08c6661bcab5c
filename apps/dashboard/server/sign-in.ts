import type { IncomingMessage } from 'node:http';
import type { HttpBindings } from '@hono/node-server';
import type { Context } from 'hono';
import { z } from 'zod';
import type { Sessions } from './session.ts';

/** Limits of a sign-in request, which is not authorized yet: its size, and the time to send it. */
const SIGN_IN_BYTES = 4 * 1024;
const SIGN_IN_MS = 10_000;

const signInRequest = z.object({ token: z.string().max(1_000) });

/** Answers the access token with the cookie of a session. */
export async function signIn(context: Context<{ Bindings: HttpBindings }>, sessions: Sessions): Promise<Response> {
  const { incoming } = context.env;
  const body = signInRequest.safeParse(incoming.method === 'POST' ? await readJson(incoming) : undefined);
  if (!body.success) return context.json({ error: 'POST {"token": "…"} as JSON.' }, 400);
  const answer = sessions.signIn(body.data.token, incoming);
  if (answer === 'wait') return context.json({ error: 'Too many wrong tokens. Wait a minute.' }, 429);
  if (answer === 'wrong') return context.json({ error: 'That is not the access token.' }, 401);
  return context.body(null, 204, { 'Set-Cookie': answer.cookie });
}

/** Undefined where the body is too long, too slow, or not JSON. */
async function readJson(request: IncomingMessage): Promise<unknown> {
  if (Number(request.headers['content-length'] ?? 0) > SIGN_IN_BYTES) return undefined;
  const tooSlow = setTimeout(() => request.destroy(), SIGN_IN_MS);
  const chunks: Buffer[] = [];
  let size = 0;
  try {
    for await (const chunk of request.iterator({ destroyOnReturn: false })) {
      size += chunk.length;
      if (size > SIGN_IN_BYTES) return undefined;
      chunks.push(chunk);
    }
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return undefined;
  } finally {
    clearTimeout(tooSlow);
  }
}
