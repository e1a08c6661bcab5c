import { createLoader } from 'nuqs/server';
import { parseAsText } from '../../components/url-parsers.ts';

const MAX_SEARCH_LENGTH = 200;

/** What the address of the page of names holds. */
export const NAMES_PARAMS = { q: parseAsText };

/** Reads the search parameters on the server. */
export const loadNames = createLoader(NAMES_PARAMS);

/** What to read for the page; server and browser ask for the same. */
export function namesRequest(project: string, search: string | null) {
  return { project, ...(search === null ? {} : { search: search.slice(0, MAX_SEARCH_LENGTH) }) };
}
