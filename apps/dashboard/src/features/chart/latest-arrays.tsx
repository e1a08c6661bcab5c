import type { StepArray } from '@evenkeel/protocol';
import { exactly } from '../../components/exact.ts';
import { formatCount, formatExact, formatNumber } from '../../components/format.ts';
import type { ArrayChart } from '../../trpc/client.tsx';
import { TEV_QUANTILES } from './quantile-chart.ts';

interface Props {
  arrays: ReadonlyMap<StepArray, ArrayChart>;
  layers: readonly string[];
}

/** The newest column of the heatmaps, and of TEV's distribution, as tables. */
export function LatestArrays({ arrays, layers }: Props) {
  const [gradVar, outVar] = [newestOf(arrays, 'layerGradVar'), newestOf(arrays, 'layerOutVar')];
  const quantiles = newestOf(arrays, 'tevQuantiles');
  const measured = Math.max(gradVar?.values.length ?? 0, outVar?.values.length ?? 0);
  return (
    <>
      {measured > 0 && (
        <Table
          head={['Layer', withStep('Gradient variance (nats²)', gradVar), withStep('Output variance', outVar)]}
          rows={Array.from({ length: measured }, (_, layer) => ({
            name: layers[layer] ?? `layer ${layer}`,
            values: [gradVar?.values[layer], outVar?.values[layer]],
          }))}
        />
      )}
      {quantiles && (
        <Table
          head={['Of the vocabulary', withStep('TEV at most', quantiles)]}
          rows={TEV_QUANTILES.map((share, at) => ({ name: `${share} %`, values: [quantiles.values[at]] }))}
        />
      )}
    </>
  );
}

type Newest = { step: number; values: readonly (number | null)[] } | null;

function newestOf(arrays: Props['arrays'], array: StepArray): Newest {
  const { steps, values } = arrays.get(array) ?? { steps: [], values: [] };
  const [step, newest] = [steps.at(-1), values.at(-1)];
  return step === undefined || !newest ? null : { step, values: newest };
}

function withStep(title: string, newest: Newest): string {
  return newest ? `${title} at step ${formatCount(newest.step)}` : title;
}

interface TableProps {
  head: readonly string[];
  rows: readonly { name: string; values: readonly (number | null | undefined)[] }[];
}

function Table({ head, rows }: TableProps) {
  return (
    <table>
      <thead>
        <tr>
          {head.map((title) => (
            <th key={title} scope="col">
              {title}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map(({ name, values }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            {values.map((value, at) => (
              <td key={head[at + 1]} {...exactly(formatExact(value))}>
                {formatNumber(value)}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
