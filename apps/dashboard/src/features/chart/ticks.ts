import { formatNumber } from '../../components/format.ts';

/** A tick's label, to as many digits as distinguish it from the next one `increment` away. */
export function formatTick(value: number, increment: number): string {
  if (value === 0) return '0';
  const magnitudes = Math.floor(Math.log10(Math.abs(value))) - Math.floor(Math.log10(increment));
  const max = Math.min(12, Math.max(1, magnitudes + digitsOf(increment, 2)));
  return formatNumber(value, digitsOf(value, max));
}

/** The fewest significant digits, at most `max`, that write `value` as exactly as `max` would. */
function digitsOf(value: number, max: number): number {
  const wanted = Number(value.toPrecision(max));
  for (let digits = 1; digits < max; digits++) if (Number(value.toPrecision(digits)) === wanted) return digits;
  return max;
}

/** Ticks of a logarithmic axis: as many round numbers as there is room for; within one octave, evenly apart. */
export function logTicks(low: number, high: number, max: number): number[] {
  if (high / low < 2) return linearTicks(low, high, max);
  for (const digits of [[1, 2, 3, 4, 5, 6, 7, 8, 9], [1, 2, 5], [1, 3], [1]]) {
    const ticks = decadeTicks(low, high, digits, 1);
    if (ticks.length <= max) return ticks;
  }
  const decades = Math.log10(high) - Math.log10(low); // of their ratio even where that is no number
  return decadeTicks(low, high, [1], Math.ceil(decades / Math.max(1, max)));
}

function decadeTicks(low: number, high: number, digits: readonly number[], everyDecade: number): number[] {
  const ticks: number[] = [];
  const first = Math.floor(Math.log10(low) / everyDecade) * everyDecade;
  for (let decade = first; 10 ** decade <= high; decade += everyDecade) {
    for (const digit of digits) {
      const tick = Number(`${digit}e${decade}`);
      if (tick >= low && tick <= high) ticks.push(tick);
    }
  }
  return ticks;
}

/** Ticks of a linear axis: `max` at most, evenly apart by 1, 2 or 5 times a power of ten. */
export function linearTicks(low: number, high: number, max: number): number[] {
  const power = Math.floor(Math.log10((high - low) / max));
  const digit = [1, 2, 5, 10].find((each) => (high - low) / Number(`${each}e${power}`) <= max) ?? 10;
  const first = Math.ceil(low / Number(`${digit}e${power}`));
  const last = Math.floor(high / Number(`${digit}e${power}`));
  return Array.from({ length: last - first + 1 }, (_, at) => Number(`${(first + at) * digit}e${power}`));
}

const [SECOND, MINUTE, HOUR, DAY] = [1_000, 60_000, 3_600_000, 86_400_000];
/** Spans that people count time in. */
const TIME_INCREMENTS = [
  ...[1, 2, 5, 10, 15, 30].map((count) => count * SECOND),
  ...[1, 2, 5, 10, 15, 30].map((count) => count * MINUTE),
  ...[1, 2, 3, 6, 12].map((count) => count * HOUR),
  ...[1, 2, 7, 14, 28, 91, 364].map((count) => count * DAY),
];

/** Ticks of a time span in milliseconds, `max` at most, whole seconds evenly apart. */
export function timeTicks(low: number, high: number, max: number): number[] {
  const increment = TIME_INCREMENTS.find((each) => (high - low) / each <= max);
  if (!increment) return linearTicks(low, high, max);
  const first = Math.ceil(low / increment);
  return Array.from({ length: Math.floor(high / increment) - first + 1 }, (_, at) => (first + at) * increment);
}

/** Steps to label between two: the closest 1, 2 or 5 times a power of ten apart, `max` of them at most. */
export function stepTicks(from: number, to: number, max: number): { ticks: number[]; increment: number } {
  const increment = WHOLE_INCREMENTS.find((candidate) => (to - from) / candidate <= max) ?? to - from;
  const ticks: number[] = [];
  for (let tick = Math.ceil(from / increment) * increment; tick <= to; tick += increment) ticks.push(tick);
  return { ticks, increment };
}

/** There is no half step. */
const WHOLE_INCREMENTS = Array.from({ length: 13 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();
