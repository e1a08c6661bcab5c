import type { AlertStatus } from '@evenkeel/protocol';

/** What a list has to know of an alert. */
interface Listed {
  id: string;
  status: AlertStatus;
  openedAt: Date;
}

/**
 * A list as its reader last loaded it. What comes later changes rows where they are, and neither adds nor removes any, so
 * that nothing moves under the cursor.
 */
export interface StableList<Alert extends Listed> {
  /** What was asked for. */
  key: string;
  alerts: readonly Alert[];
  /** What the reader has seen here, also what has left since. */
  known: ReadonlySet<string>;
  /** When the last row was opened, where the list was as long as it may be; what is older is on the next page. */
  until: number;
}

export function newStableList<Alert extends Listed>(
  key: string,
  alerts: readonly Alert[],
  limit: number,
): StableList<Alert> {
  const last = alerts.length < limit ? undefined : alerts.at(-1);
  const until = last?.openedAt.getTime() ?? Number.NEGATIVE_INFINITY;
  return { key, alerts, known: new Set(alerts.map(({ id }) => id)), until };
}

/** The rows as they are now, in their old places. */
export function refreshed<Alert extends Listed>(list: StableList<Alert>, latest: readonly Alert[]): StableList<Alert> {
  const byId = new Map(latest.map((alert) => [alert.id, alert]));
  return { ...list, alerts: list.alerts.map((alert) => byId.get(alert.id) ?? alert) };
}

/** How many alerts of the newest list the reader has not seen. */
export function countNews<Alert extends Listed>(list: StableList<Alert>, latest: readonly Alert[]): number {
  return latest.filter(({ id, openedAt }) => !list.known.has(id) && openedAt.getTime() >= list.until).length;
}

/** After the reader has acted: rows that changed and that the list no longer asks for leave. */
export function without<Alert extends Listed>(
  list: StableList<Alert>,
  changed: readonly Listed[],
  asked: readonly AlertStatus[],
): StableList<Alert> {
  const gone = new Set(changed.filter(({ status }) => !asked.includes(status)).map(({ id }) => id));
  return { ...list, alerts: list.alerts.filter(({ id }) => !gone.has(id)) };
}

/** A list that has run empty, with what else there is. */
export function refilled<Alert extends Listed>(list: StableList<Alert>, latest: readonly Alert[]): StableList<Alert> {
  const alerts = latest.filter(({ id }) => !list.known.has(id));
  return { ...list, alerts, known: new Set([...list.known, ...alerts.map(({ id }) => id)]) };
}
