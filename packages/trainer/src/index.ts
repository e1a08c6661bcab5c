export { benchTrainCommand } from './bench/command.ts';
export { trainCommand } from './command.ts';
export { studyCommand } from './study/command.ts';
export { draw } from './study/draw.ts';
