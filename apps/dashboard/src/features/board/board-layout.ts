/** Runs that have one value of the configuration in common; null those that have none. */
export interface BoardGroup {
  value: string | null;
  runs: number;
  /** Whether it holds the runs of all values that are too many to stand apart. */
  isRest?: true;
}

/** What stands at a place of the board: a run, by its number in the list, or the heading of a group. */
export type BoardItem = { run: number } | { heading: BoardGroup };

/** Where the runs of a list stand, all in a row or in groups under headings. */
export class BoardLayout {
  readonly runs: number;
  /** Places: runs and headings. */
  readonly length: number;
  private readonly groups: readonly BoardGroup[];
  /** Number in the list of each group's first run. */
  private readonly firsts: readonly number[];

  constructor(runs: number, groups: readonly BoardGroup[] = []) {
    let first = 0;
    this.runs = runs;
    this.length = runs + groups.length;
    this.groups = groups;
    this.firsts = groups.map((group) => {
      first += group.runs;
      return first - group.runs;
    });
  }

  at(place: number): BoardItem {
    const group = this.firsts.findLastIndex((first, index) => first + index <= place);
    const heading = this.groups[group];
    const isHeading = heading && (this.firsts[group] ?? 0) + group === place;
    return isHeading ? { heading } : { run: place - group - 1 };
  }

  placeOf(run: number): number {
    return run + this.firsts.findLastIndex((first) => first <= run) + 1;
  }
}
