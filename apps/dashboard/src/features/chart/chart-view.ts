import type { Extent } from './axis-range.ts';
import type { Picture } from './feed.ts';
import type { Ink } from './palette.ts';

export interface Line {
  /** Null for a line that only bounds a band. */
  ink: Ink | null;
  /** Pixels. */
  width: number;
  /** Lengths of dashes and of gaps, in pixels. */
  dash?: readonly number[];
  /** Whether it goes on over columns that have no value. */
  spansGaps?: boolean;
  /** Whether values are dots as well; `sparse` where there is room between them. */
  dots: 'never' | 'sparse' | 'always';
}

/** What is filled between two lines, given by their places. */
export interface Band {
  between: readonly [number, number];
  ink: Ink;
}

/** Lowest and highest of each column: drawn themselves, so that one wild step in a million is seen. */
export const EDGE: Line = { ink: 'bandEdge', width: 1, dots: 'never' };
/** Bounds a band and draws nothing. */
export const HIDDEN: Line = { ink: null, width: 0, dots: 'never' };

/** How to draw one chart of a run, whatever it shows. */
export interface ChartView {
  /** Its name in the address. */
  key: string;
  title: string;
  unit: string | null;
  /** The y axis until somebody asks for another; `auto` is linear until the line spans decades. */
  scale: 'linear' | 'log' | 'auto';
  /** What has a line beside that of the title, if anything. */
  beside?: string;
  lines: readonly Line[];
  bands: readonly Band[];
  read(picture: Picture): Drawn;
}

/** What a chart draws; every array has one element a column. */
export interface Drawn {
  steps: number[];
  /** In the order of the view's lines; null breaks a line, undefined does not. */
  lines: (number | null | undefined)[][];
  /** How many values of a column are not finite. */
  nonFinite: number[];
  /** Of what is positive in its line; null where nothing is. */
  extent: Extent | null;
  /** The values of a column in words, or the latest. */
  words(column: number | null): string;
}
