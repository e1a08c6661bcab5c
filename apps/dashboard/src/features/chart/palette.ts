/** The style sheet's names of the colors that charts draw with. */
const VARIABLES = {
  surface: '--ek-surface',
  muted: '--ek-muted',
  rule: '--ek-rule',
  grid: '--ek-grid',
  line: '--ek-line',
  band: '--ek-band',
  bandEdge: '--ek-band-edge',
  deviation: '--ek-deviation',
  quantileBand: '--ek-quantile-band',
  beside: '--ek-beside',
  ghost: '--ek-ghost',
  warning: '--ek-warning',
  warningText: '--ek-warning-text',
  critical: '--ek-critical',
  criticalText: '--ek-critical-text',
} as const;
export type Ink = keyof typeof VARIABLES;
type Palette = Record<Ink, string>;

/** A color for what the style sheet reaches. */
export function inkVariable(ink: Ink): string {
  return `var(${VARIABLES[ink]})`;
}

let palette: Palette | undefined;

/** The colors for canvases, read again when the color scheme changes. */
export function colors(): Palette {
  palette ??= readPalette();
  return palette;
}

export function onColorsChange(listener: () => void): () => void {
  const observer = new MutationObserver(() => {
    palette = undefined;
    listener();
  });
  observer.observe(document.documentElement, { attributeFilter: ['data-mantine-color-scheme'] });
  return () => observer.disconnect();
}

function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const read = Object.entries(VARIABLES).map(([name, variable]) => [name, style.getPropertyValue(variable)]);
  return Object.fromEntries(read) as Palette;
}
