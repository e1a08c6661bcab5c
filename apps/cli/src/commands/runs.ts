import { Command } from 'commander';
import { ask, type Client, connect } from '../client.ts';
import { environment } from '../environment.ts';

type Run = Awaited<ReturnType<Client['run']['list']['query']>>[number];

export function runsCommand(): Command {
  return new Command('runs')
    .description('list runs, the newest first')
    .option('--server <url>', 'the running server (EVENKEEL_SERVER)', environment.server)
    .option('--project <name>', 'only runs of this project')
    .option('--json', 'print one JSON object a line')
    .action(async ({ server, project, json }) => {
      const runs = await ask(server, connect(server).run.list.query({ project, limit: 1_000 }));
      if (json) for (const run of runs) console.log(JSON.stringify(facts(run)));
      else if (runs.length === 0) console.log('No runs yet: start one with "evenkeel train".');
      else console.table(Object.fromEntries(runs.map((run) => [run.id, row(run)])));
    });
}

function facts({ id, project, name, status, lastStep, loss, tevMean, openAlerts }: Run) {
  const alerts = openAlerts.map(({ rule, severity, step }) => ({ rule, severity, step }));
  return {
    id,
    project,
    name,
    status,
    lastStep,
    loss: jsonNumber(loss),
    tevMean: jsonNumber(tevMean),
    openAlerts: alerts,
  };
}

/** JSON has no word for NaN and infinities; recorded runs write them as strings, and so does this. */
function jsonNumber(value: number | null): number | string | null {
  return value === null || Number.isFinite(value) ? value : String(value);
}

function row({ project, name, status, lastStep, loss, tevMean, openAlerts }: Run) {
  const alerts = openAlerts.map(({ rule, severity, step }) => `${severity} ${rule} at ${step}`).join(', ');
  return { project, name, status, step: lastStep, loss: rounded(loss), TEV: rounded(tevMean), alerts };
}

function rounded(value: number | null): number | null {
  return value === null ? null : Number(value.toPrecision(4));
}
