/**
 * Warns the user of a problem. Of each kind the first message is passed on, then the 10th, the 100th, the 1,000th and so
 * on, with how many there were.
 */
export interface Warn {
  (message: string, kind?: string): void;
  /** The problem of this kind is over: it is counted from the start again. */
  forget: (kind: string) => void;
}

/** Kinds that are counted one by one; messages of further ones are counted together, so that memory is bounded. */
const MAX_KINDS = 100;

/** How often a kind came, and at which count it is passed on next. */
interface Kind {
  count: number;
  next: number;
}

export function warnWithCount(sink: (message: string, kind: string) => void): Warn {
  const kinds = new Map<string, Kind>();
  const others: Kind = { count: 0, next: 1 };

  const kindOf = (name: string): Kind => {
    const known = kinds.get(name);
    if (known || kinds.size >= MAX_KINDS) return known ?? others;
    const fresh = { count: 0, next: 1 };
    kinds.set(name, fresh);
    return fresh;
  };

  const warn = (message: string, name = message) => {
    const kind = kindOf(name);
    kind.count += 1;
    if (kind.count < kind.next) return;
    kind.next *= 10;
    const what = kind === others ? 'warnings of further kinds' : 'times';
    try {
      sink(kind.count === 1 ? message : `${message} (${kind.count.toLocaleString('en')} ${what} so far)`, name);
    } catch {
      // a warning that cannot be shown must not stop the training
    }
  };
  return Object.assign(warn, { forget: (name: string) => void kinds.delete(name) });
}
