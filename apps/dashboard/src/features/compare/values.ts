import { formatCount, formatDuration, formatExact, formatNumber } from '../../components/format.ts';
import { parseAsOrder } from '../../components/url-parsers.ts';
import type { Chart, RunDetail, SeriesKey } from '../../trpc/client.tsx';
import { formatRisk } from '../run/risk-gauge.tsx';

/** The final results of a run; null for a value that is not known. */
export interface RunValues {
  loss: number | null;
  bestLoss: number | null;
  tevMean: number | null;
  greatestTev: number | null;
  greatestGradVar: number | null;
  lastStep: number | null;
  tokens: number | null;
  /** Milliseconds from the run's beginning to its end, or to now. */
  took: number | null;
  risk: number | null;
  status: string;
}

interface Read {
  run: Pick<RunDetail, 'loss' | 'tevMean' | 'lastStep' | 'risk' | 'status' | 'startedAt' | 'endedAt'>;
  /** The whole run in one column, and its last step alone; undefined until they were read. */
  extremes: Chart | undefined;
  last: Chart | undefined;
  /** Null on the server. */
  now: number | null;
}

export function valuesOf({ run, extremes, last, now }: Read): RunValues {
  const until = run.endedAt?.getTime() ?? now;
  return {
    loss: run.loss,
    bestLoss: extreme(extremes, 'loss', 'min'),
    tevMean: run.tevMean,
    greatestTev: extreme(extremes, 'tevMean', 'max'),
    greatestGradVar: extreme(extremes, 'gradVar', 'max'),
    lastStep: run.lastStep,
    tokens: last?.tokens[0] ?? null,
    took: until === null ? null : until - run.startedAt.getTime(),
    risk: run.risk,
    status: run.status,
  };
}

/** Where the run has one step, the value itself. */
function extreme(chart: Chart | undefined, key: SeriesKey, which: 'min' | 'max'): number | null {
  const series = chart?.series[key];
  return series?.[which]?.[0] ?? series?.mean[0] ?? null;
}

export interface ValueColumn {
  key: keyof RunValues;
  label: string;
  unit?: string;
  meaning?: string;
  format: (value: number) => string;
}

const digits = (value: number) => formatNumber(value, 4);

export const VALUE_COLUMNS: readonly ValueColumn[] = [
  { key: 'loss', label: 'Loss, final', unit: 'nats', meaning: 'of the last step', format: digits },
  { key: 'bestLoss', label: 'Loss, best', unit: 'nats', meaning: 'min over all steps', format: digits },
  { key: 'tevMean', label: 'TEV, final', meaning: 'Token Embedding Variability of the last step', format: digits },
  { key: 'greatestTev', label: 'TEV, greatest', meaning: 'of any step', format: digits },
  { key: 'greatestGradVar', label: 'Gradient variance, greatest', unit: 'nats²', format: digits },
  { key: 'lastStep', label: 'Last step', format: formatCount },
  { key: 'tokens', label: 'Tokens', meaning: 'seen by the last step', format: digits },
  { key: 'took', label: 'Wall time', meaning: 'from its beginning to its end, or until now', format: formatDuration },
  { key: 'risk', label: 'Risk', meaning: 'of divergence within 100 steps, as last forecast', format: formatRisk },
];

/** For whoever wants every digit. */
export function exactValue({ key, format }: ValueColumn, value: number | null): string {
  return key === 'took' && value !== null ? format(value) : formatExact(value);
}

/** The search parameter of the table's order. */
export const valuesOrder = parseAsOrder<keyof RunValues>([...VALUE_COLUMNS.map(({ key }) => key), 'status']);

export interface Order {
  by: keyof RunValues;
  descending: boolean;
}

/** A click on a column: sorted by it, then the other way round, then in the order of the runs. */
export function nextOrder(by: keyof RunValues, order: Order | null): Order | null {
  if (order?.by !== by) return { by, descending: false };
  return order.descending ? null : { by, descending: true };
}

/** What is unknown, and what is not a number, comes last whichever way the others go. */
export function inOrder<Row extends { values: RunValues }>(rows: readonly Row[], order: Order | null): Row[] {
  if (!order) return [...rows];
  const keyOf = ({ values }: Row) => {
    const value = values[order.by];
    return typeof value === 'number' && Number.isNaN(value) ? null : value;
  };
  return rows.toSorted((a, b) => {
    const [left, right] = [keyOf(a), keyOf(b)];
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    const rises = left < right ? -1 : left > right ? 1 : 0;
    return order.descending ? -rises : rises;
  });
}
