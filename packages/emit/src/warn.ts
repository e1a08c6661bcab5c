/** Warns the user of a problem; only the first message of each kind is passed on. */
export interface Warn {
  (message: string, kind?: string): void;
  /** The problem of this kind is over: the next message of it is passed on again. */
  forget: (kind: string) => void;
}

/** Even a server that answers something new every time must not flood the trainer's output. */
const MAX_KINDS = 100;

export function warnOnce(sink: (message: string) => void): Warn {
  const passedOn = new Set<string>();
  const warn = (message: string, kind = message) => {
    if (passedOn.has(kind) || passedOn.size >= MAX_KINDS) return;
    passedOn.add(kind);
    try {
      sink(message);
    } catch {
      // a warning that cannot be shown must not stop the training
    }
  };
  return Object.assign(warn, { forget: (kind: string) => void passedOn.delete(kind) });
}
