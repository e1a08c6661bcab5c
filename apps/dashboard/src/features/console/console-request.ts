import type { RunStatus } from '@evenkeel/protocol';
import type { ConsoleLines } from '../../trpc/client.tsx';
import type { LineKey } from './console-lines.ts';

/** Lines that a page begins with; who searches or follows a link reads the others. */
const TAIL = 200;

/** What a page asks for of a run's console output first, on the server and in the browser alike. */
export function consoleRequest(run: string) {
  return { run, limit: TAIL };
}

interface PageRequest {
  run: string;
  /** A revision. */
  after?: number;
  before?: LineKey;
}

/**
 * All lines of a request, read page by page from the last one on: one answer could not hold them. Its revision is that of
 * the first read, so that what comes meanwhile is read again rather than missed.
 */
export async function readAllLines(
  read: (page: PageRequest) => Promise<ConsoleLines>,
  request: PageRequest,
): Promise<ConsoleLines> {
  const last = await read(request);
  const pages = [last.lines];
  for (let page = last; page.hasMore; pages.unshift(page.lines)) {
    const [first] = page.lines;
    if (!first) throw new Error('a page without lines has more before them');
    const { attempt, writer, line } = first;
    page = await read({ ...request, before: { attempt, writer, line } });
  }
  return { ...last, lines: pages.flat(), hasMore: false };
}

/** Whether what a run has written last is the first that one wants to know of it: it died without being asked to. */
export function isReadFirst(status: RunStatus): boolean {
  return status === 'failed' || status === 'lost';
}
