import type { Spread } from './results.ts';

const DIGITS = 3;

/** Three significant digits; a dash where nothing is known. */
export function readable(value: number): string {
  if (Number.isNaN(value)) return '–';
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e5) ? value.toExponential(2) : significant(value);
  return text.replace('-', '−').replace('e−', 'e-').replace('e+', 'e');
}

/** "0.0213 ± 0.0004": both with as many decimals as the mean needs. */
export function readableSpread({ mean, sd }: Spread): string {
  const text = readable(mean);
  if (Number.isNaN(mean) || Number.isNaN(sd)) return text;
  if (/e/.test(text)) return `${text} ± ${readable(sd)}`;
  return `${text} ± ${sd.toFixed(text.split('.')[1]?.length ?? 0)}`;
}

function significant(value: number): string {
  const rounded = Math.abs(Number(value.toPrecision(DIGITS)));
  const magnitude = rounded === 0 ? 0 : Math.floor(Math.log10(rounded));
  return value.toFixed(Math.max(0, DIGITS - 1 - magnitude));
}
