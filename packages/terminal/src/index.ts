export { action, count, flag, group, readNumber, toggle, whole } from './flags.ts';
export { markdownTable, textTable } from './table.ts';
