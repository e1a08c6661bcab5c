import { jsonNumber } from '@evenkeel/protocol';
import { action, flag, toggle } from '@evenkeel/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { ask, type Client, connect } from '../client.ts';
import { serverFlag } from '../common-flags.ts';
import { printTable } from '../table.ts';

type Run = Awaited<ReturnType<Client['run']['list']['query']>>['runs'][number];

const MAX_RUNS = 10_000;
const PAGE_RUNS = 200;
/** A configuration may have 65,536 characters. */
const PAGE_RUNS_WITH_CONFIG = 50;

const flags = z.object({
  server: serverFlag,
  project: flag(z.string().optional(), { value: '<name>', help: 'only runs of this project' }),
  json: toggle('print one JSON object per line'),
});

export function runsCommand(): Command {
  const command = new Command('runs').description('list runs, the newest first');
  return action(command, flags, async ({ server, project, json }) => {
    const { runs, hasMore } = await ask(server, readRuns(connect(server), { project, withConfig: json }));
    if (hasMore) console.error(`Only the newest ${MAX_RUNS} runs are listed.`);
    if (json) for (const run of runs) console.log(JSON.stringify(facts(run)));
    else if (runs.length === 0)
      console.log(`No runs${project ? ` in ${project}` : ''} yet: start one with "evenkeel train".`);
    else printTable([HEADINGS, ...runs.map(row)]);
  });
}

/** Page by page, so that a long list does not block the server. */
async function readRuns(
  client: Client,
  query: { project: string | undefined; withConfig: boolean | undefined },
): Promise<{ runs: Run[]; hasMore: boolean }> {
  const runs: Run[] = [];
  const limit = query.withConfig ? PAGE_RUNS_WITH_CONFIG : PAGE_RUNS;
  let cursor: string | undefined;
  do {
    const page = await client.run.list.query({ ...query, limit, cursor });
    runs.push(...page.runs);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined && runs.length < MAX_RUNS);
  return { runs, hasMore: cursor !== undefined };
}

function facts({ id, project, name, status, config, lastStep, loss, tevMean, droppedValues, openAlerts }: Run) {
  const alerts = openAlerts.map(({ rule, severity, step }) => ({ rule, severity, step }));
  return {
    id,
    project,
    name,
    status,
    config: config === undefined ? {} : JSON.parse(config),
    lastStep,
    loss: jsonNumber(loss),
    tevMean: jsonNumber(tevMean),
    droppedValues,
    openAlerts: alerts,
  };
}

const HEADINGS = ['id', 'project', 'name', 'status', 'step', 'loss', 'TEV', 'open alerts'];

function row({ id, project, name, status, lastStep, loss, tevMean, openAlerts }: Run): string[] {
  const alerts = openAlerts.map(({ rule, severity, step }) => `${severity} ${rule} at ${step}`).join(', ');
  return [id, project, name, status, String(lastStep ?? '–'), rounded(loss), rounded(tevMean), alerts];
}

function rounded(value: number | null): string {
  return value === null ? '–' : String(Number(value.toPrecision(4)));
}
