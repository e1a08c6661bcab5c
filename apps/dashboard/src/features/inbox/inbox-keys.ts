import type { AlertFeedback } from '@evenkeel/protocol';

/** What a key asks of the inbox. */
export type InboxKey =
  | { kind: 'move'; by: 1 | -1; selects: boolean }
  | { kind: 'select'; isRange: boolean }
  | { kind: 'mark'; feedback: AlertFeedback }
  | { kind: 'acknowledge' | 'note' };

interface Pressed {
  key: string;
  shiftKey: boolean;
  ctrlKey: boolean;
  altKey: boolean;
  metaKey: boolean;
}

const MARKS: Record<string, AlertFeedback> = { t: 'true', f: 'false alarm' };
const MOVES: Record<string, 1 | -1> = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };

/** Null for keys that mean nothing here, and for those of the browser. */
export function inboxKey({ key, shiftKey, ctrlKey, altKey, metaKey }: Pressed): InboxKey | null {
  if (ctrlKey || altKey || metaKey) return null;
  const pressed = key.length === 1 ? key.toLowerCase() : key;
  const by = MOVES[pressed];
  if (by) return { kind: 'move', by, selects: shiftKey };
  if (pressed === 'x') return { kind: 'select', isRange: shiftKey };
  if (shiftKey) return null;
  const feedback = MARKS[pressed];
  if (feedback) return { kind: 'mark', feedback };
  if (pressed === 'a') return { kind: 'acknowledge' };
  return pressed === 'n' ? { kind: 'note' } : null;
}
