/**
 * A run's color and dash, which stay with it on every page. Okabe and Ito's colors, each as a custom property of
 * globals.css for light and dark, lighter or darker than one another so that they are distinct in gray, too; times
 * dashes, so that more runs than colors stay apart.
 */
export interface RunLook {
  /** A custom property. */
  color: string;
  /** Lengths of strokes and gaps in pixels; none where the line is solid. */
  dash: readonly number[];
}

const HUES = ['ink', 'blue', 'purple', 'vermilion', 'green', 'sky', 'orange'] as const;
const DASHES: readonly (readonly number[])[] = [[], [8, 4], [2, 2.5], [8, 3, 2, 3], [4, 3]];

/** One after another differs in color, and in dash once the colors are used up. */
export const RUN_LOOKS: readonly RunLook[] = DASHES.flatMap((dash) =>
  HUES.map((hue) => ({ color: `--ek-run-${hue}`, dash })),
);

/** The look of a run that stands by itself. */
export function lookOf(id: string): RunLook {
  return RUN_LOOKS[placeOf(id)] ?? SOLID;
}

const SOLID: RunLook = { color: '--ek-run-ink', dash: [] };

/** The looks of runs side by side: each its own, unless one before it has that; then the next that none has. */
export function looksOf(ids: readonly string[]): RunLook[] {
  const taken = new Set<number>();
  return ids.map((id) => {
    const place = nextFree(placeOf(id), taken);
    taken.add(place);
    return RUN_LOOKS[place] ?? SOLID;
  });
}

function nextFree(place: number, taken: ReadonlySet<number>): number {
  if (taken.size >= RUN_LOOKS.length) return place;
  let free = place;
  while (taken.has(free)) free = (free + 1) % RUN_LOOKS.length;
  return free;
}

/** FNV-1a: spreads ids evenly, those of one moment too, which begin alike. */
function placeOf(id: string): number {
  let hash = 0x811c9dc5;
  for (const letter of id) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193);
  return (hash >>> 0) % RUN_LOOKS.length;
}
