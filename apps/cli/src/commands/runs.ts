import { jsonNumber } from '@evenkeel/protocol';
import { Command } from 'commander';
import { ask, type Client, connect } from '../client.ts';
import { environment } from '../environment.ts';
import { printTable } from '../table.ts';

type Run = Awaited<ReturnType<Client['run']['list']['query']>>['runs'][number];

const MOST_RUNS = 10_000;
const PAGE_RUNS = 200;

export function runsCommand(): Command {
  return new Command('runs')
    .description('list runs, the newest first')
    .option('--server <url>', 'the running server (EVENKEEL_SERVER)', environment.server)
    .option('--project <name>', 'only runs of this project')
    .option('--json', 'print one JSON object a line')
    .action(async ({ server, project, json }) => {
      const { runs, hasMore } = await ask(server, readRuns(connect(server), project));
      if (hasMore) console.error(`Only the newest ${MOST_RUNS} runs are listed.`);
      if (json) for (const run of runs) console.log(JSON.stringify(facts(run)));
      else if (runs.length === 0)
        console.log(`No runs${project ? ` in ${project}` : ''} yet: start one with "evenkeel train".`);
      else printTable([HEADINGS, ...runs.map(row)]);
    });
}

/** Page after page, so that a long list is no load for the server. */
async function readRuns(client: Client, project: string | undefined): Promise<{ runs: Run[]; hasMore: boolean }> {
  const runs: Run[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.run.list.query({ project, limit: PAGE_RUNS, cursor });
    runs.push(...page.runs);
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined && runs.length < MOST_RUNS);
  return { runs, hasMore: cursor !== undefined };
}

function facts({ id, project, name, status, lastStep, loss, tevMean, droppedValues, openAlerts }: Run) {
  const alerts = openAlerts.map(({ rule, severity, step }) => ({ rule, severity, step }));
  return {
    id,
    project,
    name,
    status,
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
