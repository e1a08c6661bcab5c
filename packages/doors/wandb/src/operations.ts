import { type Principal, parse, RefusedError } from '@evenkeel/protocol';
import { z } from 'zod';
import { writeConfig } from './run-config.ts';
import { DEFAULT_ENTITY, type RunKey, runKey } from './run-key.ts';
import type { RunState } from './run-state.ts';
import type { ResumedRun, SentRun, WandbRuns } from './wandb-runs.ts';

/** A request of GraphQL. */
const request = z.looseObject({ query: z.string(), variables: z.looseObject({}).nullish() });
/** The operation's name, by which it is recognized: the query itself is always the same. */
const NAME = /\b(?:query|mutation)\s+(\w+)/;

/** Who sends a request. */
interface Caller {
  principal: Principal;
  /** As its client calls it, null where it does not. */
  username: string | null;
  /** Whether it may read what is stored; asked only where something would be read. */
  mayRead(): boolean;
}

type Answer = (runs: WandbRuns, caller: Caller, variables: unknown) => unknown;

const OPERATIONS = new Map<string, Answer>([
  ['Viewer', answerViewer],
  ['ServerFeaturesQuery', () => ({ serverInfo: SERVER_INFO })],
  ['UpsertBucket', answerUpsert],
  ['RunResumeStatus', answerResumeStatus],
  ['RunStoppedStatus', answerStoppedStatus],
  ['CreateRunFiles', answerCreateFiles],
  ['NotifyScriptableRunAlert', answerAlert],
  ['CreateArtifact', refuseArtifact],
  // Without these a script of 0.21 raises where it logs a table or an artifact, or does not send it to be counted.
  ['ArtifactType', () => ({ project: null })],
  ['InputFields', () => ({ TypeInfo: { inputFields: [] } })],
  ['ProbeServerCapabilities', answerCapabilities],
]);

/**
 * Answers a request of GraphQL.
 * @returns what belongs to `data`.
 * @throws RefusedError where it cannot be read, or there is no such operation.
 */
export async function answerOperation(runs: WandbRuns, caller: Caller, body: unknown): Promise<unknown> {
  const { query, variables } = parse(request, body);
  const name = NAME.exec(query)?.[1] ?? 'without a name';
  const answer = OPERATIONS.get(name);
  if (!answer) throw new RefusedError('query', `Evenkeel has no operation ${name.slice(0, 100)}`);
  return answer(runs, caller, variables);
}

/** As much as lets a client ask for {@link SERVER_INFO}. */
function answerCapabilities() {
  const fields = (...names: string[]) => ({ fields: names.map((name) => ({ name })) });
  return { QueryType: fields('serverInfo'), MutationType: fields(), ServerInfoType: fields('cliVersionInfo') };
}

/** Below 0.11 a client would wait for each table to be stored before it goes on. */
const SERVER_INFO = { features: [], cliVersionInfo: { max_cli_version: '1.0.0' } };

function answerViewer(_runs: WandbRuns, { principal }: Caller) {
  const username = principal.kind === 'key' ? principal.name : 'anonymous';
  const viewer = { id: username, entity: DEFAULT_ENTITY, username, email: null, flags: '{}', teams: { edges: [] } };
  return { viewer, serverInfo: SERVER_INFO };
}

const text = z.string().nullish().default(null);
const upsert = runKey.extend({
  displayName: text,
  notes: text,
  tags: z.array(z.string()).nullish().default(null),
  config: text,
  groupName: text,
  jobType: text,
  program: text,
  host: text,
});

async function answerUpsert(runs: WandbRuns, { principal, username }: Caller, variables: unknown) {
  const { displayName, notes, tags, config, groupName, jobType, program, host, ...key } = parse(upsert, variables);
  const entity = key.entity === DEFAULT_ENTITY ? null : key.entity;
  const owner = username ?? entity;
  const sent: SentRun = { name: displayName, notes, tags, config, group: groupName, jobType, program, host, owner };
  const { id, state, isNew } = await runs.upsert(principal, key, sent);
  const bucket = {
    id,
    name: key.name,
    displayName: displayName ?? key.name,
    description: null,
    config: '{}',
    sweepName: null,
    historyLineCount: state.historyLines,
    project: { id: key.project, name: key.project, entity: entityOf(key) },
  };
  return { upsertBucket: { inserted: isNew, bucket } };
}

async function answerResumeStatus(runs: WandbRuns, { principal, mayRead }: Caller, variables: unknown) {
  const key = parse(runKey, variables);
  const resumed = await runs.askToResume(principal, key, mayRead);
  const model = { id: key.project, name: key.project, entity: entityOf(key) };
  return { model: { ...model, bucket: resumed && { name: key.name, ...bucketOf(resumed) } } };
}

function bucketOf({ id, run, state }: ResumedRun) {
  return {
    id,
    displayName: run.name,
    summaryMetrics: state.summary,
    logLineCount: state.outputLines,
    historyLineCount: state.historyLines,
    eventsLineCount: state.eventsLines,
    historyTail: tailOf(state.historyTail),
    eventsTail: tailOf(state.eventsTail),
    config: writeConfig(run.config),
    tags: run.tags,
    notes: run.notes,
    wandbConfig: '{"t":1}', // without it a client takes the run for one that never began
  };
}

/** A list of JSON texts as a JSON text. */
function tailOf(tail: RunState['historyTail']): string {
  return JSON.stringify(Object.keys(tail).length === 0 ? [] : [JSON.stringify(tail)]);
}

const ofRun = z.looseObject({ entityName: z.unknown(), projectName: z.unknown() });
const stoppedStatus = ofRun.extend({ runId: z.unknown() });

async function answerStoppedStatus(runs: WandbRuns, { principal }: Caller, variables: unknown) {
  const { entityName, projectName, runId } = parse(stoppedStatus, variables);
  const key = parse(runKey, { entity: entityName, project: projectName, name: runId });
  return { project: { run: { stopped: await runs.isStopped(principal, key) } } };
}

const alert = ofRun.extend({ runName: z.unknown(), title: z.string(), text, severity: text });

async function answerAlert(runs: WandbRuns, { principal }: Caller, variables: unknown) {
  const { entityName, projectName, runName, title, text: details, severity } = parse(alert, variables);
  const key = parse(runKey, { entity: entityName, project: projectName, name: runName });
  await runs.report(principal, key, [severity, title, details].filter(Boolean).join(': '));
  return { notifyScriptableRunAlert: { success: true } };
}

const createFiles = z.looseObject({
  entity: z.unknown(),
  project: z.unknown(),
  run: z.unknown(),
  files: z.array(z.string()),
});
/** What every client wants to send; what is in these files comes in other ways too. */
const USUAL_FILES = ['wandb-metadata.json', 'requirements.txt', 'output.log', 'wandb-summary.json', 'config.yaml'];

/** With no address to send a file to, a client logs a line for itself and goes on. */
async function answerCreateFiles(runs: WandbRuns, { principal }: Caller, variables: unknown) {
  const { run, files, ...rest } = parse(createFiles, variables);
  const key = parse(runKey, { ...rest, name: run });
  const count = files.filter((file) => !USUAL_FILES.includes(file)).length;
  if (count > 0) await runs.leaveOut(principal, key, { field: 'files', reason: 'files are not kept', count });
  return { createRunFiles: { runID: key.name, uploadHeaders: [], files: [] } };
}

const createArtifact = ofRun.extend({ runName: z.unknown() });

/** A script goes on, unless it waits for its artifact. */
async function refuseArtifact(runs: WandbRuns, { principal }: Caller, variables: unknown): Promise<never> {
  const { input, ...flat } = parse(z.looseObject({ input: z.looseObject({}).optional() }), variables); // 0.31, 0.21
  const { entityName, projectName, runName } = parse(createArtifact, input ?? flat);
  const key = parse(runKey, { entity: entityName, project: projectName, name: runName });
  await runs.leaveOut(principal, key, { field: 'artifacts', reason: 'artifacts are not kept', count: 1 });
  throw new RefusedError('', 'Evenkeel keeps no artifacts');
}

function entityOf({ entity }: RunKey) {
  return { id: entity, name: entity };
}
