/**
 * The exponentially weighted mean of all values up to each, the weight of one halving every `halfLife` steps back; the
 * weights of what there is add up to 1, so that its start is not drawn towards zero. It knows nothing before the first
 * value: a part of a series starts again. Null, and left out of what follows, where there is no value.
 * @param steps ascending, one for each value
 */
export function smooth(
  steps: readonly number[],
  values: readonly (number | null)[],
  halfLife: number,
): (number | null)[] {
  let [sum, weight, last] = [0, 0, 0];
  return values.map((value, at) => {
    if (value === null) return null;
    const step = steps[at] ?? 0;
    const kept = 0.5 ** ((step - last) / halfLife);
    sum = sum * kept + value;
    weight = weight * kept + 1;
    last = step;
    return sum / weight;
  });
}
