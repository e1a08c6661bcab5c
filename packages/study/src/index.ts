export { studyCommand } from './command.ts';
export { draw, type TopLevelSpec } from './draw.ts';
