import { createProject, type Database, findProject, type NumberedProject, numberedProjects } from '@evenkeel/db';
import { MAX_NAME_LENGTH, RefusedError, storableText } from '@evenkeel/protocol';
import { MlflowError } from './error.ts';
import { meets, parseFilter } from './filter.ts';

/** The experiment of clients that set none: it exists without being made. */
const DEFAULT = { id: '0', name: 'Default' };

/** An experiment of MLflow is a project; its id is the project's number. */
export function experimentIdOf(project: number, name: string): string {
  return name === DEFAULT.name ? DEFAULT.id : String(project);
}

/**
 * The name of the project that an experiment is.
 * @throws MlflowError where there is none.
 */
export async function projectNameOf(db: Database, experimentId: string): Promise<string> {
  if (experimentId === DEFAULT.id) return DEFAULT.name;
  return (await projectOf(db, experimentId)).name;
}

async function projectOf(db: Database, experimentId: string): Promise<NumberedProject> {
  const id = /^\d{1,9}$/.test(experimentId) ? Number(experimentId) : 0;
  const found = await findProject(db, { id });
  if (!found) throw noSuchExperiment(experimentId);
  return found;
}

/** The numbers of the projects that experiments are; those that do not exist may be among them. */
export async function projectsOf(db: Database, experimentIds: readonly string[]): Promise<number[]> {
  const asked = new Set(experimentIds);
  const ofDefault = asked.delete(DEFAULT.id) ? await findProject(db, { name: DEFAULT.name }) : null;
  const numbers = [...asked].filter((id) => /^\d{1,9}$/.test(id)).map(Number);
  return ofDefault ? [ofDefault.id, ...numbers] : numbers;
}

export async function getExperiment(db: Database, experimentId: string) {
  if (experimentId !== DEFAULT.id) return { experiment: experimentJson(await projectOf(db, experimentId)) };
  return { experiment: await defaultExperiment(db) };
}

export async function getExperimentByName(db: Database, name: string) {
  if (name === DEFAULT.name) return { experiment: await defaultExperiment(db) };
  const found = await findProject(db, { name: storableText(name, MAX_NAME_LENGTH) });
  if (!found) throw noSuchExperiment(name);
  return { experiment: experimentJson(found) };
}

async function defaultExperiment(db: Database) {
  const found = await findProject(db, { name: DEFAULT.name });
  return experimentJson(found ?? { id: 0, name: DEFAULT.name, createdAt: new Date(0) });
}

/** @throws MlflowError where there is one of the name. */
export async function createExperiment(db: Database, name: string, now: Date) {
  const kept = storableText(name, MAX_NAME_LENGTH);
  if (kept === '') throw new MlflowError('INVALID_PARAMETER_VALUE', 'name: an experiment needs one');
  try {
    return { experiment_id: experimentIdOf(await createProject(db, kept, now), kept) };
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    throw new MlflowError('RESOURCE_ALREADY_EXISTS', `there is an experiment "${kept}"`);
  }
}

/** Experiments that one answer holds. */
const PAGE = 1_000;

/** What to search among experiments. */
export interface ExperimentSearch {
  filter: string;
  maxResults: number;
  /** Of the answer before. */
  pageToken: string;
  /** Only those with runs of this ingest key; left out for all. */
  key: string | null | undefined;
}

export async function searchExperiments(db: Database, { filter, maxResults, pageToken, key }: ExperimentSearch) {
  const conditions = parseFilter(filter);
  const limit = Math.min(maxResults, PAGE);
  const after = /^\d{1,9}$/.test(pageToken) ? Number(pageToken) : 0;
  const found = await numberedProjects(db, { after, key, limit: limit + 1 });
  const page = found.slice(0, limit);
  const met = page.filter(({ name }) => meets(conditions, ({ name: asked }) => (asked === 'name' ? name : null)));
  const last = found.length > limit ? page.at(-1) : undefined;
  return { experiments: met.map(experimentJson), ...(last && { next_page_token: String(last.id) }) };
}

function experimentJson({ id, name, createdAt }: NumberedProject) {
  const experimentId = experimentIdOf(id, name);
  return {
    experiment_id: experimentId,
    name,
    artifact_location: `mlflow-artifacts:/${experimentId}`,
    lifecycle_stage: 'active',
    creation_time: createdAt.getTime(),
    last_update_time: createdAt.getTime(),
  };
}

function noSuchExperiment(which: string): MlflowError {
  return new MlflowError('RESOURCE_DOES_NOT_EXIST', `there is no experiment "${which.slice(0, 200)}"`);
}
