import { MAX_SCALAR_NAME_LENGTH, MAX_STEP, MIN_STEP } from '@evenkeel/protocol';
import { createLoader, createParser, parseAsStringLiteral } from 'nuqs/server';
import { parseAsIntegerWithin, parseAsText } from '../../components/url-parsers.ts';
import { PLACED_CUSTOM } from './metrics.ts';
import { X_UNITS } from './x-axis.ts';

/** Custom scalars that are read at once: a run may send hundreds. */
export const CUSTOM_PAGE = 12;
/** More are found by their names: the charts of so many are a page of megabytes. */
export const MAX_CUSTOM = 20 * CUSTOM_PAGE;
/** Half-lives that a curve can be smoothed by, in steps. */
export const HALF_LIVES = [10, 100, 1_000, 10_000] as const;

/** The beginning of the names of what is measured of the machine; these charts have a heading of their own. */
const SYSTEM_PREFIX = 'system/';

export type Scale = 'log' | 'linear';

const step = parseAsIntegerWithin(MIN_STEP, MAX_STEP);

const halfLife = createParser({
  parse: (text) => HALF_LIVES.find((steps) => String(steps) === text) ?? null,
  serialize: String,
});

/** As in `loss-log,gradVar-linear`. The names stay encoded: that of a custom scalar may have a comma in it. */
const scales = createParser<ReadonlyMap<string, Scale>>({
  parse: (text) => new Map(text.split(',').flatMap(readScale)),
  serialize: (chosen) => [...chosen].map(([key, scale]) => `${key}-${scale}`).join(','),
});

function readScale(text: string): [string, Scale][] {
  const [, key, scale] = /^(.+)-(log|linear)$/.exec(text) ?? [];
  return key === undefined ? [] : [[key, scale as Scale]];
}

const count = createParser({
  parse: (text) => (/^\d{1,3}$/.test(text) ? Math.min(Number(text), MAX_CUSTOM) : null),
  serialize: String,
});

/** The search parameters of what charts show. */
export const VIEW_PARAMS = {
  /** The first step in view. */
  from: step,
  /** The last step in view. */
  to: step,
  /** What the x axis counts. */
  x: parseAsStringLiteral(X_UNITS).withDefault('step'),
  /** The half-life of the smoothed curves, in steps. */
  smooth: halfLife,
  /** The y axes that somebody has chosen. */
  scale: scales,
  /** How many custom scalars to show. */
  custom: count,
  /** What the names of the custom scalars shown have in them. */
  scalar: parseAsText,
  /** Whether the charts of system metrics are unfolded; absent leaves it to how many they are. */
  system: parseAsStringLiteral(['shown', 'hidden']),
};

/** Reads the search parameters on the server. */
export const loadView = createLoader(VIEW_PARAMS);

/** The steps in view, both included; open ends follow the run. */
export interface StepRange {
  readonly from?: number;
  readonly to?: number;
}

/** The range of search parameters; one that ends before it begins is left out. */
export function stepRange({ from, to }: Record<'from' | 'to', number | null>): StepRange {
  if (from !== null && to !== null && from > to) return {};
  return { ...(from !== null && { from }), ...(to !== null && { to }) };
}

/** The y axis that somebody has chosen for a chart; null leaves it to the chart. */
export function scaleOf(chosen: ReadonlyMap<string, Scale> | null, key: string): Scale | null {
  return chosen?.get(encodeURIComponent(key)) ?? null;
}

export function withScale(chosen: ReadonlyMap<string, Scale> | null, key: string, scale: Scale) {
  return new Map(chosen).set(encodeURIComponent(key), scale);
}

/** What a page asks for of the names of a run's system metrics. */
export function systemNamesRequest(run: string) {
  return { run, prefix: SYSTEM_PREFIX, limit: MAX_CUSTOM };
}

/** What a page asks for of the names of a run's custom scalars. */
export function customNamesRequest(run: string, scalar: string | null, limit: number) {
  return { run, search: scalar?.slice(0, MAX_SCALAR_NAME_LENGTH), without: PLACED_CUSTOM, limit };
}

/**
 * The same on the page of a run, on the server and in the browser alike: system metrics have charts of their own there, and
 * are among the others only where they are searched.
 */
export function runNamesRequest(run: string, scalar: string | null, limit: number) {
  return { ...customNamesRequest(run, scalar, limit), ...(!scalar && { notPrefix: SYSTEM_PREFIX }) };
}
