/** Four significant digits: enough for a sentence, for the smallest gradient variance and the largest. */
export function readable(value: number): string {
  return String(Number(value.toPrecision(4)));
}
