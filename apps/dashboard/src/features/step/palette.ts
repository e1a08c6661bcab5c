/** The colours that canvases draw with, from the style sheet, read again when the colour scheme changes. */
const NAMES = {
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
  critical: '--ek-critical',
} as const;
type Palette = Record<keyof typeof NAMES, string>;

let palette: Palette | undefined;

export function colours(): Palette {
  palette ??= readPalette();
  return palette;
}

export function onColoursChange(listener: () => void): () => void {
  const observer = new MutationObserver(() => {
    palette = undefined;
    listener();
  });
  observer.observe(document.documentElement, { attributeFilter: ['data-mantine-color-scheme'] });
  return () => observer.disconnect();
}

function readPalette(): Palette {
  const style = getComputedStyle(document.documentElement);
  const read = Object.entries(NAMES).map(([name, variable]) => [name, style.getPropertyValue(variable)]);
  return Object.fromEntries(read) as Palette;
}
