/** Four significant digits: enough for a sentence, for the smallest gradient variance and the largest. */
export function readable(value: number): string {
  const rounded = Number(value.toPrecision(4));
  return Math.abs(rounded) >= 1e6 ? rounded.toExponential() : String(rounded);
}
