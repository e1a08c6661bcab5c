import { csv } from './csv/csv.ts';
import type { FileFormat, StoreFormat } from './format.ts';
import { jsonl } from './jsonl/jsonl.ts';
import { mlflow } from './mlflow/format.ts';
import { neptune } from './neptune/format.ts';
import { swanlab } from './swanlab/format.ts';
import { tensorboard } from './tensorboard/format.ts';
import { textLog } from './text-log/text-log.ts';
import { trackio } from './trackio/format.ts';
import { trainerState } from './trainer-state/trainer-state.ts';
import { wandb } from './wandb/format.ts';

export { Attempts } from './attempts.ts';
export type { FileDecoder, FileFormat, Found, Position, RunFacts, StoredRun, StoreFormat } from './format.ts';
export { StepRows } from './step-rows.ts';
export { customTextLog } from './text-log/text-log.ts';

/** Kinds of files that grow while their run does, in the order in which they are tried. */
export const FILE_FORMATS: readonly FileFormat[] = [
  ...[tensorboard, wandb, swanlab],
  ...[trainerState, csv, jsonl, textLog],
];

/** Kinds of stores that are read as a whole. */
export const STORE_FORMATS: readonly StoreFormat[] = [mlflow, trackio, neptune];
