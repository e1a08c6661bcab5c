import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { promisify } from 'node:util';
import {
  createApiKey,
  type Database,
  getRun,
  insertSteps,
  pageClientRuns,
  readFamily,
  readStoredSteps,
  startRun,
} from '@evenkeel/db';
import { openTestDatabase } from '@evenkeel/db/testing-template';
import { parse, runStart } from '@evenkeel/protocol';
import { freePort } from '@evenkeel/testing';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { DoorServer, TOKEN } from './serve.ts';

// The released client of MLflow, unmodified, against the door.

const python = inject('clients')['packages/doors/mlflow/requirements.txt'] ?? null;
const run = promisify(execFile);

describe.skipIf(!python)('a client of MLflow', () => {
  let db: Database;
  let server: DoorServer;
  beforeAll(async () => {
    db = await openTestDatabase();
    server = new DoorServer(db, await freePort());
    await server.start();
  });
  afterAll(async () => {
    await server.stop();
    await db.close();
  });

  const environment = (env: Record<string, string> = {}) => ({
    ...process.env,
    MLFLOW_TRACKING_URI: server.url,
    GIT_PYTHON_REFRESH: 'quiet',
    ...env,
  });

  /** Runs a script, which must not raise, and reads the JSON that it prints last. */
  async function script(source: string, env: Record<string, string> = {}) {
    const { stdout } = await run(python as string, ['-c', `import json, math, mlflow\n${source}`], {
      env: environment(env),
    });
    return JSON.parse(stdout.trim().split('\n').at(-1) ?? 'null');
  }

  /** The runs of a project, the oldest first. */
  async function runsOf(project: string) {
    const { rows } = await pageClientRuns(db, { limit: 100 });
    return rows.filter((row) => row.project === project).toReversed();
  }

  async function values(id: string, column: { field: 'loss' } | { custom: string }, attempt?: number) {
    const found: [number, unknown][] = [];
    for await (const rows of readStoredSteps(db, { run: id, columns: [column], attempt }))
      found.push(
        ...rows.filter((row) => row.values[0] !== null).map((row): [number, unknown] => [row.step, row.values[0]]),
      );
    return found;
  }

  test('logs a run with params, tags, notes, NaN and infinities, 1,500 metrics in a call, and artifacts', async () => {
    const id = await script(`
from mlflow.entities import Metric
mlflow.set_experiment('first')
with mlflow.start_run(run_name='named', description='why *this*') as run:
    mlflow.log_param('lr', 0.1)
    mlflow.log_params({f'p{i}': i for i in range(150)})
    mlflow.set_tags({'team': 'a', 'plain': ''})
    for step, value in enumerate([2.5, math.nan, math.inf, -math.inf]):
        mlflow.log_metric('train/loss', value, step=step)
    mlflow.log_metrics({'acc#1 %': 0.5, 'grad_norm': 1e300}, step=3)
    client = mlflow.MlflowClient()
    client.log_batch(run.info.run_id, metrics=[Metric('many', i, 1700000000000 + i, i) for i in range(1500)])
    mlflow.log_text('text', 'a/b c.txt')
    mlflow.log_dict({'a': 1}, 'd.json')
    assert client.list_artifacts(run.info.run_id) == []
mlflow.MlflowClient().set_tag(run.info.run_id, 'after', 'the end')
mlflow.MlflowClient().log_metric(run.info.run_id, 'late', 7, step=4)
print(json.dumps(run.info.run_id))`);
    const [stored] = await runsOf('first');
    expect(stored?.id.replaceAll('-', '')).toBe(id);
    expect(stored).toMatchObject({ name: 'named', status: 'finished', notes: 'why *this*' });
    expect(stored?.tags.toSorted()).toEqual(['after=the end', 'plain', 'team=a']);
    expect(Object.keys(stored?.config ?? {})).toHaveLength(151);
    expect(stored?.config).toMatchObject({ lr: '0.1', p149: '149' });
    expect(stored?.owner).toEqual(expect.any(String));
    const run = stored?.id ?? '';
    expect(await values(run, { field: 'loss' })).toEqual(
      [2.5, NaN, Infinity, -Infinity].map((value, step) => [step, value]),
    );
    expect(await values(run, { custom: 'acc#1 %' })).toEqual([[3, 0.5]]);
    expect(await values(run, { custom: 'many' })).toHaveLength(1_500);
    expect(await values(run, { custom: 'late' })).toEqual([[4, 7]]);
    const found = await getRun(db, run);
    expect(found?.dropped).toEqual([{ field: 'artifact', reason: 'artifact not kept', count: 2 }]);
    expect(found?.attempts).toHaveLength(1);
  });

  test('logs asynchronously, out of order, and nothing is lost', async () => {
    await script(`
mlflow.set_experiment('async')
with mlflow.start_run():
    for step in range(300):
        mlflow.log_metric('loss', step / 2, step=step, synchronous=False)
    mlflow.flush_async_logging()
print('null')`);
    const [stored] = await runsOf('async');
    expect(stored?.name).toMatch(/^[a-z]+-[a-z]+-\d+$/);
    expect(await values(stored?.id ?? '', { field: 'loss' })).toEqual(
      Array.from({ length: 300 }, (_, step) => [step, step / 2]),
    );
    expect((await getRun(db, stored?.id ?? ''))?.attempts).toHaveLength(1);
  });

  test('resumes a run as its next attempt, and nests runs', async () => {
    await script(`
mlflow.set_experiment('nested')
with mlflow.start_run(run_name='whole') as whole:
    mlflow.log_metric('loss', 3, step=0)
    with mlflow.start_run(run_name='part', nested=True):
        mlflow.log_metric('loss', 2, step=0)
with mlflow.start_run(run_id=whole.info.run_id):
    mlflow.log_metric('loss', 1, step=1)
try:
    with mlflow.start_run(run_name='broken'):
        raise ValueError('on purpose')
except ValueError:
    pass
print('null')`);
    const [whole, part, broken] = await runsOf('nested');
    expect([whole, part, broken].map((each) => [each?.name, each?.status])).toEqual([
      ['whole', 'finished'],
      ['part', 'finished'],
      ['broken', 'failed'],
    ]);
    expect(await values(whole?.id ?? '', { field: 'loss' }, 2)).toEqual([[1, 1]]);
    expect(part?.parent).toBe(whole?.id);
    expect((await readFamily(db, whole?.id ?? '')).parts.map(({ name }) => name)).toEqual(['part']);
  });

  test('logs without steps, and gets a curve', async () => {
    await script(`
import time
mlflow.set_experiment('unstepped')
with mlflow.start_run():
    for value in [3, 2, 2, 1]:
        mlflow.log_metric('loss', value)
        time.sleep(0.002)
print('null')`);
    const [stored] = await runsOf('unstepped');
    expect(await values(stored?.id ?? '', { field: 'loss' })).toEqual([
      [0, 3],
      [1, 2],
      [2, 2],
      [3, 1],
    ]);
  });

  test('logs metrics of its system', async () => {
    await script(`
import time
mlflow.set_experiment('system')
mlflow.set_system_metrics_sampling_interval(0.3)
mlflow.set_system_metrics_samples_before_logging(1)
with mlflow.start_run(log_system_metrics=True):
    time.sleep(2)
print('null')`);
    const [stored] = await runsOf('system');
    const cpu = await values(stored?.id ?? '', { custom: 'system/cpu_utilization_percentage' });
    expect(cpu.length).toBeGreaterThan(1);
    expect(cpu.map(([step]) => step)).toEqual(cpu.map((_, at) => at));
  });

  test('reads runs that came in any way: searches them, and reads the history of a metric by its name', async () => {
    const own = '01890a5d-ac96-774b-bcce-b302099a8051';
    const at = 1_700_000_000_000;
    const config = { lr: 0.1, model: { layers: 4 }, big: { $number: 'Infinity' } };
    const start = {
      run: own,
      attempt: 1,
      project: 'mixed',
      name: 'by emit',
      startedAt: at,
      config,
      tags: ['a=b', 'c'],
    };
    await startRun(db, parse(runStart, start), new Date(at));
    const steps = [3, Number.NaN, Number.POSITIVE_INFINITY].map((loss, step) => ({
      step,
      time: at + step,
      loss,
      tevMean: 0.5,
    }));
    await insertSteps(db, [{ run: own, attempt: 1, steps }], new Date(at));
    const read = await script(`
mlflow.set_experiment('mixed')
for lr, loss in [('0.1', 1.5), ('0.2', 0.5)]:
    with mlflow.start_run(run_name='lr ' + lr):
        mlflow.log_param('lr', lr)
        mlflow.log_metric('train/loss', 9, step=0)
        mlflow.log_metric('train/loss', loss, step=1)
client = mlflow.MlflowClient()
def names(**search):
    found = mlflow.search_runs(experiment_names=['mixed'], output_format='list', **search)
    return [run.info.run_name for run in found]
own = client.get_run('${own.replaceAll('-', '')}')
history = lambda run, key: [(m.step, str(m.value), m.timestamp) for m in client.get_metric_history(run, key)]
tuned = mlflow.search_runs(experiment_names=['mixed'], filter_string="params.lr = '0.2'", output_format='list')[0]
paged = client.search_runs([own.info.experiment_id], max_results=2)
print(json.dumps({
    'all': names(),
    'low': names(filter_string='metrics.\`train/loss\` < 1'),
    'param': names(filter_string="params.lr = '0.1' and attributes.status != 'RUNNING'"),
    'like': names(filter_string="attributes.run_name LIKE 'lr%'", order_by=['metrics.\`train/loss\` ASC']),
    'tag': names(filter_string="tags.a = 'b'"),
    'params': own.data.params, 'tags': own.data.tags, 'metrics': {k: str(v) for k, v in own.data.metrics.items()},
    'history': history(own.info.run_id, 'loss'), 'tev': len(history(own.info.run_id, 'tevMean')),
    'tuned': [h[:2] for h in history(tuned.info.run_id, 'train/loss')], 'same': len(history(tuned.info.run_id, 'loss')),
    'status': own.info.status, 'pages': [len(paged), len(client.search_runs([own.info.experiment_id], max_results=2, page_token=paged.token))],
    'experiments': sorted(e.name for e in client.search_experiments() if e.name in ('mixed', 'first')),
    'default': client.get_experiment('0').name,
}))`);
    expect(read).toEqual({
      all: ['lr 0.2', 'lr 0.1', 'by emit'],
      low: ['lr 0.2'],
      param: ['lr 0.1'],
      like: ['lr 0.2', 'lr 0.1'],
      tag: ['by emit'],
      params: { lr: '0.1', 'model.layers': '4', big: 'Infinity' },
      tags: { a: 'b', c: '', 'mlflow.runName': 'by emit' },
      metrics: { loss: 'inf', tevMean: '0.5' },
      history: [
        [0, '3.0', at],
        [1, 'nan', at + 1],
        [2, 'inf', at + 2],
      ],
      tev: 3,
      tuned: [
        [0, '9.0'],
        [1, '0.5'],
      ],
      same: 2,
      status: 'RUNNING',
      pages: [2, 1],
      experiments: ['first', 'mixed'],
      default: 'Default',
    });
  });

  test('a server that is started again in the middle loses nothing, and the client does not raise', async () => {
    const child = spawn(
      python as string,
      [
        '-c',
        `
import mlflow
mlflow.set_experiment('restarted')
with mlflow.start_run():
    for step in range(400):
        mlflow.log_metric('loss', step, step=step)
        mlflow.log_metric('unstepped', step)`,
      ],
      { env: environment(), stdio: ['ignore', 'inherit', 'pipe'] },
    );
    const ended = once(child, 'exit');
    let stderr = '';
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    const lastStep = async () => {
      const [found] = await runsOf('restarted');
      return found ? ((await getRun(db, found.id))?.lastStep ?? -1) : -1;
    };
    await expect.poll(lastStep).toBeGreaterThan(30);
    await server.stop();
    await server.start();
    expect([(await ended)[0], stderr.includes('Traceback')]).toEqual([0, false]);
    const [stored] = await runsOf('restarted');
    const all = Array.from({ length: 400 }, (_, step) => [step, step]);
    expect(await values(stored?.id ?? '', { field: 'loss' })).toEqual(all);
    expect(await values(stored?.id ?? '', { custom: 'unstepped' })).toEqual(all);
    expect(await getRun(db, stored?.id ?? '')).toMatchObject({ status: 'finished', attempts: [{ number: 1 }] });
    expect(server.errors).toEqual([]);
  });

  // The last, since from then on a key is needed.
  test('needs an ingest key once there is one; a key reads its own runs, the access token all', async () => {
    const { secret } = await createApiKey(db, 'trainer', new Date());
    await server.stop();
    server.isOpen = false;
    await server.start();
    const source = `
mlflow.set_experiment('keyed')
client = mlflow.MlflowClient()
try:
    with mlflow.start_run():
        mlflow.log_metric('loss', 1, step=0)
except mlflow.exceptions.MlflowException as error:
    print(json.dumps(error.error_code), flush=True)
else:
    print(json.dumps(sorted({e.name for e in client.search_experiments()})))`;
    const wrong = { MLFLOW_TRACKING_TOKEN: 'ek_wrong' };
    await expect(script('client = mlflow.MlflowClient()\nclient.search_experiments()', wrong)).rejects.toThrow(
      'UNAUTHENTICATED',
    );
    expect(await script(source, { MLFLOW_TRACKING_TOKEN: secret })).toEqual(['keyed']);
    expect(await script(source, { MLFLOW_TRACKING_USERNAME: 'ada', MLFLOW_TRACKING_PASSWORD: secret })).toEqual([
      'keyed',
    ]);
    expect(await script(source, { MLFLOW_TRACKING_TOKEN: TOKEN })).toBe('PERMISSION_DENIED');
    const count = "print(len(mlflow.search_runs(experiment_names=['first', 'keyed'], output_format='list')))";
    expect(await script(count, { MLFLOW_TRACKING_TOKEN: TOKEN })).toBe(3);
    expect(await script(count, { MLFLOW_TRACKING_TOKEN: secret })).toBe(2);
  });
});
