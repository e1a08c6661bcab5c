export type { Command, PolicyInput } from '@evenkeel/protocol';
export type { CommandHandler } from './command-desk.ts';
export type { FinishOptions, FinishResult, Run } from './run.ts';
export { type StartRunOptions, startRun } from './start-run.ts';
export type { StepInput } from './step-intake.ts';
export { uuidv7 } from './uuid.ts';
