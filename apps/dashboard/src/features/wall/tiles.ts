import type { Severity } from '@evenkeel/protocol';
import type { RunSummary } from '../../trpc/client.tsx';

export const MAX_TILES = 12;
const MIN_TILES = 4;
/** Pixels below which a tile's words would be too small, however large the screen. */
const MIN_TILE = { width: 440, height: 300 };
/** Width to height at which a tile's words fill it best. */
const TILE_SHAPE = 1.45;
/** What has ended must not crowd out what still can be helped. */
const MAX_ENDED = 4;
const HOUR_MS = 3_600_000;

type Candidate = Pick<RunSummary, 'id' | 'status' | 'risk' | 'openAlerts' | 'startedAt' | 'endedAt'>;

/**
 * The runs that a wall shows, the most urgent first: those that run, by risk, then by their worst alert, then by age; and
 * of those that failed, were lost or stopped within the hour the newest few, below all that is at risk and above what is calm.
 */
export function rankRuns<Run extends Candidate>(runs: readonly Run[], now: number): Run[] {
  const byId = new Map(runs.map((run) => [run.id, run]));
  const running = [...byId.values()].filter(({ status }) => status === 'running');
  const ended = [...byId.values()].filter((run) => endedOf(run) > now - HOUR_MS);
  ended.sort((a, b) => endedOf(b) - endedOf(a));
  return [...running, ...ended.slice(0, MAX_ENDED)].sort(compare);
}

/** Milliseconds since 1970; minus infinity for what does not end, or has done all it should. */
function endedOf({ status, endedAt }: Candidate): number {
  const isOver = status !== 'running' && status !== 'finished' && endedAt !== null;
  return isOver ? endedAt.getTime() : Number.NEGATIVE_INFINITY;
}

function compare(a: Candidate, b: Candidate): number {
  return (
    urgency(b) - urgency(a) ||
    worst(b.openAlerts) - worst(a.openAlerts) ||
    b.startedAt.getTime() - a.startedAt.getTime()
  );
}

/** In steps of 5 %, so that tiles do not change places at every breath of the forecast. */
function urgency({ status, risk }: Candidate): number {
  return status === 'running' ? Math.round((risk ?? 0) * 20) : 0.5;
}

function worst(alerts: readonly { severity: Severity }[]): number {
  return Math.max(0, ...alerts.map(({ severity }) => (severity === 'critical' ? 2 : 1)));
}

/** How many tiles a screen holds, and how many stand side by side so that they become as large as can be. */
export function fitTiles(runs: number, { width, height }: { width: number; height: number }) {
  const room = Math.floor(width / MIN_TILE.width) * Math.floor(height / MIN_TILE.height);
  const tiles = Math.min(runs, Math.max(MIN_TILES, Math.min(room, MAX_TILES)));
  let across = 1;
  const sizeOf = (columns: number) => Math.min(width / columns / TILE_SHAPE, height / Math.ceil(tiles / columns));
  for (let columns = 2; columns <= tiles; columns++) if (sizeOf(columns) > sizeOf(across)) across = columns;
  return { tiles, across };
}
