/** Does one thing after another for each key, and things of different keys at once. */
export class Turns {
  readonly #ends = new Map<string, Promise<unknown>>();

  take<Result>(key: string, act: () => Promise<Result>): Promise<Result> {
    const former = this.#ends.get(key) ?? Promise.resolve();
    const done = former.then(act);
    const end = done
      .catch(() => {})
      .then(() => {
        if (this.#ends.get(key) === end) this.#ends.delete(key);
      });
    this.#ends.set(key, end);
    return done;
  }
}
