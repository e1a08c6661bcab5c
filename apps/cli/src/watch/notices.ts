import { printable } from '@evenkeel/protocol';

/** What a person is shown on standard error, each kind of problem once until the server has answered again. */
export class Notices {
  readonly #shown = new Set<string>();

  show(kind: string, message: string): void {
    if (this.#shown.has(kind)) return;
    this.#shown.add(kind);
    console.error(printable(`evenkeel: ${message}`));
  }

  /** The server has acknowledged what it was sent. */
  reached(): void {
    if (this.#shown.delete('unreachable')) console.error('evenkeel: the server answers again');
  }
}
