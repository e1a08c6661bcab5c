/** Tells the user of a problem; only the first message of each kind is passed on. */
export type Warn = (message: string, kind?: string) => void;

/** Even a server that answers something new every time must not flood the trainer's output. */
const MAX_KINDS = 100;

export function warnOnce(sink: (message: string) => void): Warn {
  const told = new Set<string>();
  return (message, kind = message) => {
    if (told.has(kind) || told.size >= MAX_KINDS) return;
    told.add(kind);
    try {
      sink(message);
    } catch {
      // a warning that cannot be shown must not stop the training
    }
  };
}
