import { connect } from '../client.ts';

/** Charts read of each kind, spread over the run's scalars and steps. */
const READS = 20;
/** What a zoom leaves of the steps, from much to little. */
const SHARES = [0.5, 0.1, 0.01, 0.001];
/** As a page has them. */
const COLUMNS = 600;

interface LongRun {
  run: string;
  steps: number;
  /** Names of custom scalars. */
  names: readonly string[];
}

/** Milliseconds of the slowest chart of one custom scalar at the server: of all steps, and zoomed. */
export async function slowestCharts(server: string, { run, steps, names }: LongRun): Promise<[number, number]> {
  const client = connect(server);
  const slowest = { whole: 0, zoomed: 0 };
  const read = async (kind: keyof typeof slowest, at: number, range: { from?: number; to?: number }) => {
    const name = names[Math.floor((at * names.length) / READS)] ?? '';
    const began = performance.now();
    await client.step.chart.query({ run, ...range, columns: COLUMNS, series: [`custom:${name}`] });
    slowest[kind] = Math.max(slowest[kind], performance.now() - began);
  };
  await client.step.chart.query({ run, columns: COLUMNS }); // the first query of a process counts for none
  for (let at = 0; at < READS; at++) {
    await read('whole', at, {});
    const width = Math.ceil(steps * (SHARES[at % SHARES.length] ?? 1));
    const from = Math.floor((at / READS) * (steps - width));
    await read('zoomed', at, { from, to: from + width - 1 });
  }
  return [slowest.whole, slowest.zoomed];
}
