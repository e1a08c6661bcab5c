import type { Server as HttpServer, IncomingMessage, RequestListener } from 'node:http';
import type { Duplex } from 'node:stream';
import type { OriginGuard } from './origin-guard.ts';
import type { Pages } from './pages.ts';
import { parseTarget } from './target.ts';

// What a server in development does besides: Next.js builds each page as it is asked for, and notifies the browser of changes.

/** What Next.js serves besides pages: scripts and styles as built just now, source maps, and errors with their sources. */
const FILES_PATH = /^\/(?:_next\/|__nextjs)/;
/** Where browsers wait for changes. */
const CHANGES_PATH = /^\/_next\/hmr(?:\?|$)/;

/** React in development makes functions of text. The page's own policy allows the websocket of changes already. */
export function developmentPages(pages: Pages): Pages {
  return (request, response) => {
    const policy = String(response.getHeader('Content-Security-Policy'));
    const relaxed = policy.replace("script-src 'self'", "script-src 'self' 'unsafe-eval'");
    response.setHeader('Content-Security-Policy', relaxed);
    request.headers['content-security-policy'] = relaxed;
    return pages(request, response);
  };
}

/** Leaves to Next.js what is no page, and is read by POST too; the listener answers all else. */
export function withDevelopmentFiles(
  listener: RequestListener,
  pages: Pages,
  originGuard: OriginGuard,
): RequestListener {
  return (request, response) => {
    const target = parseTarget(request.url ?? '');
    const isFile = 'path' in target && FILES_PATH.test(target.path);
    if (!isFile || originGuard.problem(request) !== null) listener(request, response);
    else void pages(request, response);
  };
}

/**
 * Hands on the websockets of browsers that wait for changes. Next.js listens once it has answered a request.
 * @returns what closes them: a server waits for its websockets before it is closed.
 */
export function forwardUpgrades(from: HttpServer, to: HttpServer, originGuard: OriginGuard): () => void {
  const sockets = new Set<Duplex>();
  from.on('upgrade', (request: IncomingMessage, socket, head) => {
    if (!CHANGES_PATH.test(request.url ?? '') || originGuard.problem(request) !== null) return;
    sockets.add(socket.once('close', () => sockets.delete(socket)));
    if (!to.emit('upgrade', request, socket, head)) socket.destroy(); // the browser tries again
  });
  return () => {
    for (const socket of sockets) socket.destroy();
  };
}
