/** Which rows of a list are selected, and from where a range begins. */
export interface Selection {
  readonly ids: ReadonlySet<string>;
  readonly anchor: string | null;
}

export const NOTHING_SELECTED: Selection = { ids: new Set(), anchor: null };

/** Selects a row, or no longer. As a range, does to all from the anchor on what it does to that row. */
export function toggle(selection: Selection, rows: readonly string[], id: string, isRange: boolean): Selection {
  const ids = new Set(selection.ids);
  const anchor = selection.anchor === null ? -1 : rows.indexOf(selection.anchor);
  const at = rows.indexOf(id);
  const touched = isRange && anchor >= 0 ? rows.slice(Math.min(anchor, at), Math.max(anchor, at) + 1) : [id];
  const isAdded = !ids.has(id);
  for (const each of touched) {
    if (isAdded) ids.add(each);
    else ids.delete(each);
  }
  return { ids, anchor: id };
}

/** What of a selection is still in the list. */
export function within({ ids, anchor }: Selection, rows: readonly string[]): Selection {
  return { ids: new Set(rows.filter((id) => ids.has(id))), anchor };
}

/** The row for the keyboard to go to once some have left: the next that stays, or else the one before. */
export function nextFocus(rows: readonly string[], at: string | null, leaving: ReadonlySet<string>): string | null {
  const from = at === null ? 0 : Math.max(0, rows.indexOf(at));
  const stays = (id: string) => !leaving.has(id);
  return rows.slice(from).find(stays) ?? rows.slice(0, from).findLast(stays) ?? null;
}
