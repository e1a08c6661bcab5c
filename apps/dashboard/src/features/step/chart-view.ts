import type uPlot from 'uplot';
import type { Extent } from './axis-range.ts';
import type { Picture } from './feed.ts';

/** How to draw one chart of a run, whatever it shows. */
export interface ChartView {
  /** Its word in the address. */
  key: string;
  title: string;
  unit: string | null;
  /** The y axis until somebody asks for another; `auto` is linear until the line spans decades. */
  scale: 'linear' | 'log' | 'auto';
  /** What has a line beside that of the title, if anything. */
  beside?: string;
  /** Lines and bands, without the x axis. */
  series: uPlot.Series[];
  bands: uPlot.Band[];
  read(picture: Picture): Drawn;
}

/** What a chart draws; every array has one element a column. */
export interface Drawn {
  steps: number[];
  /** In the order of the view's series. */
  lines: (number | null)[][];
  /** How many values of a column are not finite. */
  nonFinite: number[];
  /** Of what is positive in its line; null where nothing is. */
  extent: Extent | null;
  /** The values of a column in words, or the latest. */
  words(column: number | null): string;
}
