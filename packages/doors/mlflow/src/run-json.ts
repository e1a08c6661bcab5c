import type { ClientRun, LatestValues } from '@evenkeel/db';
import { jsonNumber, numberOf, type RunStatus } from '@evenkeel/protocol';
import { experimentIdOf } from './experiments.ts';
import { stateOf } from './logged-run.ts';
import { byClientNames } from './names.ts';
import { toClientId } from './run-id.ts';
import { fromShown, TAG, type Tags } from './tags.ts';

/** MLflow has no word for a run that the server has lost contact with: there it goes on running. */
const STATUS: Record<RunStatus, string> = {
  running: 'RUNNING',
  lost: 'RUNNING',
  finished: 'FINISHED',
  stopped: 'KILLED',
  failed: 'FAILED',
};

/** A run as the answers of MLflow carry it; times in milliseconds since 1970. */
export function runJson(run: ClientRun, values: LatestValues) {
  return {
    info: infoOf(run),
    data: { metrics: metricsOf(run, values), params: entriesOf(paramsOf(run)), tags: entriesOf(tagsOf(run)) },
  };
}

export function infoOf(run: ClientRun) {
  const id = toClientId(run.id);
  const experiment = experimentIdOf(run.projectId, run.project);
  return {
    run_id: id,
    run_uuid: id,
    run_name: run.name,
    experiment_id: experiment,
    user_id: run.owner ?? '',
    status: STATUS[run.status],
    start_time: run.startedAt.getTime(),
    ...(run.endedAt && run.status !== 'lost' && { end_time: run.endedAt.getTime() }),
    artifact_uri: `mlflow-artifacts:/${experiment}/${id}/artifacts`,
    lifecycle_stage: run.archivedAt ? 'deleted' : 'active',
  };
}

function metricsOf({ names }: ClientRun, values: LatestValues) {
  return [...byClientNames(names, values)].map(([key, { value, step, time }]) => {
    return { key, value: jsonNumber(value), timestamp: Math.round(time), step };
  });
}

/** The configuration as text by names: what lies in an object has a name with dots. */
export function paramsOf({ config }: ClientRun): Record<string, string> {
  return Object.fromEntries(flatten(config));
}

function flatten(values: object, prefix = ''): [string, string][] {
  return Object.entries(values).flatMap(([key, value]): [string, string][] => {
    const number = numberOf(value);
    if (number !== null || typeof value !== 'object' || value === null || Array.isArray(value))
      return [[prefix + key, number ?? textOf(value)]];
    return flatten(value, `${prefix}${key}.`);
  });
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** Tags of its client, those that a person has added, and what MLflow keeps as tags. */
export function tagsOf({ name, notes, owner, parent, tags, state }: ClientRun): Tags {
  return {
    ...fromShown(tags),
    ...stateOf(state).tags,
    [TAG.name]: name,
    ...(notes !== '' && { [TAG.notes]: notes }),
    ...(owner !== null && { [TAG.owner]: owner }),
    ...(parent !== null && { [TAG.parent]: toClientId(parent) }),
  };
}

function entriesOf(values: Record<string, string>) {
  return Object.entries(values).map(([key, value]) => ({ key, value }));
}
