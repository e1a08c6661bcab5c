/** So many go first in a row while others wait; then one of those has its turn, or a busy ingest would hold them for ever. */
const FIRST_IN_A_ROW = 8;

type Action = () => Promise<void>;

/** One action at a time: the connection is one, and a transaction has it for itself until its end. */
export class Turns {
  private readonly firsts: Action[] = [];
  private readonly laters: Action[] = [];
  private readonly lasts: Action[] = [];
  private inARow = 0;
  private busy = false;

  /** Before all that waits to be run later. */
  first<T>(action: () => Promise<T>): Promise<T> {
    return this.wait(this.firsts, action);
  }

  /** Once nothing is to be run first, or enough of that has been. */
  later<T>(action: () => Promise<T>): Promise<T> {
    return this.wait(this.laters, action);
  }

  /** Once nothing else waits at all. */
  last<T>(action: () => Promise<T>): Promise<T> {
    return this.wait(this.lasts, action);
  }

  private wait<T>(lane: Action[], action: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      lane.push(() => action().then(resolve, reject));
      void this.runAll();
    });
  }

  private async runAll(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    for (let action = this.next(); action; action = this.next()) await action();
    this.busy = false;
  }

  private next(): Action | undefined {
    const isTheirTurn = this.firsts.length === 0 || (this.inARow >= FIRST_IN_A_ROW && this.laters.length > 0);
    this.inARow = isTheirTurn ? 0 : this.inARow + 1;
    return (isTheirTurn ? this.laters.shift() : this.firsts.shift()) ?? this.lasts.shift();
  }
}
