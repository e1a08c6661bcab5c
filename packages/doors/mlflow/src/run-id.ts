import { MlflowError } from './error.ts';

const HEX = /^([\da-f]{8})-?([\da-f]{4})-?([\da-f]{4})-?([\da-f]{4})-?([\da-f]{12})$/;

/** A run's id as clients of MLflow have it: 32 hexadecimal digits. */
export function toClientId(run: string): string {
  return run.replaceAll('-', '');
}

/**
 * The id of the run that a client means, with dashes or without.
 * @throws MlflowError where no run can have it.
 */
export function fromClientId(id: string): string {
  const parts = HEX.exec(id.toLowerCase());
  if (!parts) throw noSuchRun(id);
  return parts.slice(1).join('-');
}

/** The answer where there is no such run for this client. */
export function noSuchRun(id: string): MlflowError {
  return new MlflowError(
    'RESOURCE_DOES_NOT_EXIST',
    `there is no run ${id.slice(0, 64)} that this client may read or write`,
  );
}
