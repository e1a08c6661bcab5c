/** In this order: what is stored, what is made of it, what viewers read. */
export type LaneName = 'store' | 'background' | 'read';

/** A lane that was passed over so often goes next. Otherwise, a busy ingest could delay it forever. */
const MAX_PASSED = 8;

type Action = () => Promise<void>;

interface Lane {
  waiting: Action[];
  /** How many of others have run since its own turn. */
  passed: number;
}

function newLane(): Lane {
  return { waiting: [], passed: 0 };
}

/** One action at a time: the connection is one, and a transaction has it for itself until its end. */
export class Turns {
  private readonly lanes = { store: newLane(), background: newLane(), read: newLane() };
  private readonly lasts: Action[] = [];
  private busy = false;

  /** Before all that waits in the lanes behind, as a rule. */
  take<T>(lane: LaneName, action: () => Promise<T>): Promise<T> {
    return this.wait(this.lanes[lane].waiting, action);
  }

  /** Once nothing else waits at all. */
  last<T>(action: () => Promise<T>): Promise<T> {
    return this.wait(this.lasts, action);
  }

  private wait<T>(line: Action[], action: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      line.push(() => action().then(resolve, reject));
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
    const lanes = Object.values(this.lanes);
    const waiting = lanes.filter((lane) => lane.waiting.length > 0);
    const chosen = waiting.find(({ passed }) => passed >= MAX_PASSED) ?? waiting[0];
    for (const lane of lanes) lane.passed = !chosen || lane === chosen ? 0 : lane.passed + 1;
    return (chosen?.waiting ?? this.lasts).shift();
  }
}
