import { milliseconds } from '../bench/units.ts';
import type { Measured } from './measure.ts';

const HEAD = ['server', 'clients of', 'database', 'values a second', 'requests a second', 'answered, p50 · p99'];
const CPU = ['CPU a value: clients', 'server and database', 'failed'];

/** A row for each server. Those of Evenkeel say how many times as fast they are as MLflow's on the same kind of database. */
export function tableOf(measured: readonly Measured[]): string[][] {
  return [
    [...HEAD, ...CPU, 'beside mlflow server'],
    ...measured.map((each) => [
      each.server,
      each.client,
      each.database,
      count(each.valuesPerSecond),
      count(each.requestsPerSecond),
      `${milliseconds(each.answers.p50)} · ${milliseconds(each.answers.p99)}`,
      microseconds(each.cpuPerValue.clients),
      microseconds(each.cpuPerValue.server),
      each.failure === null ? 'none' : `${each.failed}: ${each.failure}`,
      ratio(each, measured),
    ]),
  ];
}

/** The embedded databases stand for each other. */
function ratio({ server, database, valuesPerSecond }: Measured, all: readonly Measured[]): string {
  const isServer = (other: Measured) => (other.database === 'PostgreSQL') === (database === 'PostgreSQL');
  const real = all.find((other) => other.server === 'mlflow server' && isServer(other));
  return server === 'mlflow server' || !real ? '–' : `${(valuesPerSecond / real.valuesPerSecond).toFixed(1)} ×`;
}

function count(value: number): string {
  return Math.round(value).toLocaleString('en');
}

function microseconds(value: number): string {
  return Number.isFinite(value) ? `${value.toFixed(1)} µs` : '–';
}
