import { fileURLToPath } from 'node:url';

/** Runs of our own trainer that come with the command; as far from here as from the bundle in `dist`. */
export const COMMITTED_RUNS = fileURLToPath(new URL('../recordings', import.meta.url));
