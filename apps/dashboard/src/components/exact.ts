/** For an element that shows a number rounded: every digit shows on hover, and is what copying takes along. */
export function exactly(exact: string): { title: string; 'data-exact': string } {
  return { title: exact, 'data-exact': exact };
}

/** A selection as text with its numbers exact, cells parted by tabs; null where it holds none that are rounded. */
export function exactText(selection: Selection): string | null {
  if (selection.isCollapsed || selection.rangeCount === 0) return null;
  const range = selection.getRangeAt(0);
  const { commonAncestorContainer: around } = range;
  const within = (around instanceof Element ? around : around.parentElement)?.closest<HTMLElement>('[data-exact]');
  if (within) return within.dataset.exact ?? null;
  const selected = range.cloneContents();
  const rounded = selected.querySelectorAll<HTMLElement>('[data-exact]');
  for (const element of rounded) element.textContent = element.dataset.exact ?? '';
  return rounded.length > 0 ? textOf(selected).trim() : null;
}

const CELL = /^(?:TD|TH|DT)$/;
const LINE = /^(?:TR|P|DIV|DD|LI|H\d|SECTION|CAPTION)$/;

function textOf(node: Node): string {
  if (node instanceof Text) return node.data;
  const text = [...node.childNodes].map(textOf).join('');
  if (CELL.test(node.nodeName)) return `${text.trim()}\t`;
  return LINE.test(node.nodeName) ? `${text.trimEnd()}\n` : text;
}
