import { MAX_STEP } from '@evenkeel/protocol';
import { METRIC_VIEWS, type Metric } from './metrics.ts';

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
  if (!text || !/^\d+$/.test(text)) return undefined;
  const step = Number(text);
  return step <= MAX_STEP ? step : undefined;
}

export function writeRange({ from, to }: StepRange): Record<'from' | 'to', string | null> {
  return { from: from?.toString() ?? null, to: to?.toString() ?? null };
}

type Scale = 'log' | 'linear';

/** The axis that the address asks for, as in `?scale=loss-log,gradVar-linear`; null leaves it to the chart. */
export function readScale(metric: Metric, params: URLSearchParams): Scale | null {
  const asked = scales(params);
  if (asked.includes(`${metric}-log`)) return 'log';
  return asked.includes(`${metric}-linear`) ? 'linear' : null;
}

export function writeScale(metric: Metric, scale: Scale, params: URLSearchParams): Record<'scale', string> {
  const others = scales(params).filter((asked) => !asked.startsWith(`${metric}-`));
  return { scale: [...others, `${metric}-${scale}`].join(',') };
}

function scales(params: URLSearchParams): string[] {
  const known = METRIC_VIEWS.flatMap(({ metric }) => [`${metric}-log`, `${metric}-linear`]);
  return (
    params
      .get('scale')
      ?.split(',')
      .filter((asked) => known.includes(asked)) ?? []
  );
}
