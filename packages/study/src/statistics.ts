import { mean } from '@evenkeel/stability';

/** Of a sample, with n − 1; NaN of fewer than two values. */
export function standardDeviation(values: readonly number[]): number {
  if (values.length < 2) return Number.NaN;
  const middle = mean(values);
  return Math.sqrt(values.reduce((sum, value) => sum + (value - middle) ** 2, 0) / (values.length - 1));
}

/**
 * The linear correlation of pairs; NaN where there are fewer than two, or one side does not vary.
 * @throws RangeError where the sides are not of one length.
 */
export function pearson(x: readonly number[], y: readonly number[]): number {
  if (x.length !== y.length) throw new RangeError(`${x.length} values do not pair with ${y.length}`);
  const meanX = mean(x);
  const meanY = mean(y);
  let covariance = 0;
  let varianceX = 0;
  let varianceY = 0;
  x.forEach((value, at) => {
    const dx = value - meanX;
    const dy = (y[at] as number) - meanY;
    covariance += dx * dy;
    varianceX += dx * dx;
    varianceY += dy * dy;
  });
  return covariance / (Math.sqrt(varianceX) * Math.sqrt(varianceY));
}

/** The correlation of ranks: 1 where one side always grows with the other. NaN and errors as with {@link pearson}. */
export function spearman(x: readonly number[], y: readonly number[]): number {
  return pearson(ranks(x), ranks(y));
}

/** From 1 on; equal values share the mean of the ranks they take up. */
function ranks(values: readonly number[]): number[] {
  const order = values.map((_, at) => at).sort((a, b) => (values[a] as number) - (values[b] as number));
  const ranked = new Array<number>(values.length);
  for (let from = 0; from < order.length; ) {
    let to = from + 1; // the end of the values equal to the one at `from`
    while (to < order.length && values[order[to] as number] === values[order[from] as number]) to++;
    for (const at of order.slice(from, to)) ranked[at] = (from + 1 + to) / 2;
    from = to;
  }
  return ranked;
}
