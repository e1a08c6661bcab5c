import { RUN_STATUSES, type RunStatus } from '@evenkeel/protocol';

/** How many runs a board shows; the newest first. */
export const BOARD_LIMIT = 200;
const MAX_SEARCH_LENGTH = 200;

export interface ListRequest {
  search?: string;
  status?: RunStatus;
  project?: string;
  limit: number;
}

/** What the board's address asks for. Server and browser read it alike, so that both speak of the same query. */
export function readListRequest(params: URLSearchParams): ListRequest {
  const search = params.get('q')?.trim().slice(0, MAX_SEARCH_LENGTH);
  const project = params.get('project');
  const status = RUN_STATUSES.find((known) => known === params.get('status'));
  return { ...(search && { search }), ...(status && { status }), ...(project && { project }), limit: BOARD_LIMIT };
}
