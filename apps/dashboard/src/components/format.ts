/** What stands where a value is absent. */
const ABSENT = '–';

const UNITS = [
  [1e12, 'T'],
  [1e9, 'G'],
  [1e6, 'M'],
  [1e3, 'k'],
] as const;

/** A number for people, to `digits` significant digits: 3.14, 12.3k, 4.56e-5. */
export function formatNumber(value: number | null | undefined, digits = 3): string {
  if (value == null || value === 0 || !Number.isFinite(value)) return formatExact(value);
  const rounded = Number(value.toPrecision(digits)); // before the unit is chosen, so that 999,999 is 1.00M
  const size = Math.abs(rounded);
  if (size < 1e-3 || size >= 1e15) return rounded.toExponential(digits - 1).replace('e+', 'e');
  const [unit, suffix] = UNITS.find(([unit]) => size >= unit) ?? [1, ''];
  const decimals = digits - 1 - Math.floor(Math.log10(size / unit));
  return `${(rounded / unit).toFixed(Math.max(0, decimals))}${suffix}`;
}

/** A number as it is, every digit. */
export function formatExact(value: number | null | undefined): string {
  if (value == null) return ABSENT;
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '∞' : '−∞';
}

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** A step number or another count: 12,345. */
export function formatCount(value: number | null | undefined): string {
  return value == null ? ABSENT : whole.format(value);
}

/** A time span in its two largest units: 45 s, 12 min, 3 h 20 min, 4 d 3 h. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.max(0, Math.round(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return join(hours, 'h', minutes % 60, 'min');
  return join(Math.floor(hours / 24), 'd', hours % 24, 'h');
}

const SPANS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'min'],
  [1_000, 's'],
] as const;

/** A time span to the second, in all units that it takes: 1 min 30 s, 1 d 2 h 15 min. */
export function formatSpan(milliseconds: number): string {
  let rest = Math.round(milliseconds / 1_000) * 1_000;
  const parts: string[] = [];
  for (const [unit, name] of SPANS) {
    const count = Math.floor(rest / unit);
    rest -= count * unit;
    if (count > 0) parts.push(`${count} ${name}`);
  }
  return parts.join(' ') || '0';
}

function join(large: number, largeUnit: string, small: number, smallUnit: string): string {
  return small ? `${large} ${largeUnit} ${small} ${smallUnit}` : `${large} ${largeUnit}`;
}

/** An instant, the same in every locale and time zone, so that server and browser agree. */
export function formatInstant(instant: Date): string {
  return `${instant.toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
