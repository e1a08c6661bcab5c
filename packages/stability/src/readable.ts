/** Four significant digits by default: enough for a sentence, for the smallest gradient variance and the largest. */
export function readable(value: number, digits = 4): string {
  const rounded = Number(value.toPrecision(digits));
  return Math.abs(rounded) >= 1e6 ? rounded.toExponential() : String(rounded);
}
