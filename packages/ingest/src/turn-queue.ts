/** Items that wait in turn by key: each key gives its oldest item, then the next key does, however many one has. */
export class TurnQueue<Item> {
  /** In the order of turns: the first key is next. No line is empty. */
  readonly #lines = new Map<string, Item[]>();

  /** How many keys have an item waiting. */
  get keys(): number {
    return this.#lines.size;
  }

  add(key: string, item: Item): void {
    const line = this.#lines.get(key);
    if (line) line.push(item);
    else this.#lines.set(key, [item]);
  }

  /** The item whose turn it is: the oldest of the first key that `may` go, or null where none may. */
  next(may: (key: string) => boolean = () => true): Item | null {
    for (const [key, [item]] of this.#lines) if (item !== undefined && may(key)) return item;
    return null;
  }

  /** Ends the turn of a key: all others come before it again. */
  pass(key: string): void {
    const line = this.#lines.get(key);
    this.#lines.delete(key);
    if (line) this.#lines.set(key, line);
  }

  /** Takes an item out, wherever it stands. */
  remove(key: string, item: Item): void {
    const line = this.#lines.get(key);
    const at = line?.indexOf(item) ?? -1;
    if (at >= 0) line?.splice(at, 1);
    if (line?.length === 0) this.#lines.delete(key);
  }

  /** Takes all items of a key out. */
  removeAll(key: string): Item[] {
    const line = this.#lines.get(key) ?? [];
    this.#lines.delete(key);
    return line;
  }
}
