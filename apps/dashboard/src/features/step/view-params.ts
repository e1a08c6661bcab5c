import { MAX_SCALAR_NAME_LENGTH, MAX_STEP, MIN_STEP } from '@evenkeel/protocol';
import { PLACED_CUSTOM } from './metrics.ts';
import { X_UNITS, type XUnit } from './x-axis.ts';

/** The steps in view, both included; open ends follow the run. */
export interface StepRange {
  readonly from?: number;
  readonly to?: number;
}

/** `?from=100&to=200`; what makes no sense is left out. */
export function readRange(params: URLSearchParams): StepRange {
  const from = readStep(params.get('from'));
  const to = readStep(params.get('to'));
  if (from !== undefined && to !== undefined && from > to) return {};
  return { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
}

function readStep(text: string | null): number | undefined {
  if (!text || !/^-?\d+$/.test(text)) return undefined;
  const step = Number(text);
  return step >= MIN_STEP && step <= MAX_STEP ? step : undefined;
}

export function writeRange({ from, to }: StepRange): Record<'from' | 'to', string | null> {
  return { from: from?.toString() ?? null, to: to?.toString() ?? null };
}

type Scale = 'log' | 'linear';

/** The axis that the address asks for, as in `?scale=loss-log,gradVar-linear`; null leaves it to the chart. */
export function readScale(key: string, params: URLSearchParams): Scale | null {
  const asked = scales(params);
  if (asked.includes(`${encode(key)}-log`)) return 'log';
  return asked.includes(`${encode(key)}-linear`) ? 'linear' : null;
}

export function writeScale(key: string, scale: Scale, params: URLSearchParams): Record<'scale', string> {
  const own = [`${encode(key)}-log`, `${encode(key)}-linear`];
  const others = scales(params).filter((asked) => !own.includes(asked));
  return { scale: [...others, `${encode(key)}-${scale}`].join(',') };
}

function scales(params: URLSearchParams): string[] {
  return (
    params
      .get('scale')
      ?.split(',')
      .filter((asked) => /-(log|linear)$/.test(asked)) ?? []
  );
}

/** A custom scalar may have a comma in its name. */
function encode(key: string): string {
  return encodeURIComponent(key);
}

/** `?x=tokens`: what the x axis counts. */
export function readUnit(params: URLSearchParams): XUnit {
  const asked = params.get('x');
  return X_UNITS.find((unit) => unit === asked) ?? 'step';
}

export function writeUnit(unit: XUnit): Record<'x', string | null> {
  return { x: unit === 'step' ? null : unit };
}

/** Custom scalars that are read at once: a run may send hundreds. */
export const CUSTOM_PAGE = 12;
/** More are found by their names: the charts of so many are a page of megabytes. */
export const MOST_CUSTOM = 20 * CUSTOM_PAGE;

/** `?custom=24`: how many custom scalars to show. */
export function readCustom(params: URLSearchParams, usual: number): number {
  const asked = params.get('custom');
  return asked && /^\d{1,3}$/.test(asked) ? Math.min(Number(asked), MOST_CUSTOM) : usual;
}

export function writeCustom(count: number): Record<'custom', string> {
  return { custom: String(count) };
}

/** The parameter of the address that says what the names of the custom scalars shown have in them. */
export const SCALAR_SEARCH = 'scalar';

/** What a page asks for of the names of a run's custom scalars, on the server and in the browser alike. */
export function customNamesRequest(run: string, params: URLSearchParams, limit: number) {
  const search = params.get(SCALAR_SEARCH)?.slice(0, MAX_SCALAR_NAME_LENGTH) || undefined;
  return { run, search, without: PLACED_CUSTOM, limit };
}

/** Half-lives that a curve can be smoothed by, in steps. */
export const HALF_LIVES = [10, 100, 1_000, 10_000] as const;

/** `?smooth=100`: the half-life of what smooths the curves, in steps; null leaves them as they are. */
export function readSmoothing(params: URLSearchParams): number | null {
  const asked = Number(params.get('smooth'));
  return HALF_LIVES.find((halfLife) => halfLife === asked) ?? null;
}

export function writeSmoothing(halfLife: number | null): Record<'smooth', string | null> {
  return { smooth: halfLife?.toString() ?? null };
}
