import { openDatabase } from '../open.ts';

/**
 * A data directory with so many runs, each a minute older than the one before: `run 0` is the youngest. Written as rows, since to start
 * thousands of runs one by one takes minutes. Two of eight run; one of twenty is at risk and has an open alert.
 */
export async function storeRuns(dataDir: string, count: number): Promise<void> {
  await using db = await openDatabase({ dataDir });
  await db.sql.execute(`
    insert into project (name, created_at) values ('pythia', now()), ('mlra', now()), ('sweep', now())`);
  await db.sql.execute(`
    insert into run (id, project_id, name, status, config, owner, tags, notes, layers, started_at, ended_at,
      last_seen_at, last_step, loss, tev_mean, risk, divergence_step, divergence_interval)
    select gen_random_uuid(), (select id from project where name = (array['pythia', 'mlra', 'sweep'])[at % 3 + 1]),
      'run ' || at, status, jsonb_build_object('seed', at, 'model', jsonb_build_object('layers', 4 + at % 4 * 4)),
      (array['ada', 'emmy', 'sofia', null])[at % 4 + 1], case when at % 10 = 0 then array['baseline'] else '{}' end,
      '', '{}', now() - (at + 1) * interval '1 minute', case when status <> 'running' then now() end, now(),
      100 + at, 2 + at % 100 / 50.0, 0.02 + at % 7 / 100.0,
      case when at % 20 = 0 then 0.5 + at % 97 / 200.0 when at % 2 = 0 then at % 9 / 100.0 end,
      case when at % 20 = 0 then 400 + at end, case when at % 20 = 0 then array[360 + at, 460 + at] end
    from (select at, (array['running', 'finished', 'stopped', 'failed', 'running', 'finished', 'finished', 'finished'])
      [at % 8 + 1] as status from generate_series(0, ${count - 1}) as at) as numbered`);
  await db.sql.execute(`
    insert into attempt (run, number, started_at, ended_at, status)
    select id, 1, started_at, ended_at, nullif(status, 'running') from run`);
  await db.sql.execute(`
    insert into alert (id, run, rule, severity, status, attempt, step, message, evidence, "window", risk,
      divergence_step, opened_at)
    select gen_random_uuid(), id, 'tev-growth', case when risk > 0.75 then 'critical' else 'warning' end, 'open', 1,
      last_step, 'TEV grows', '{}', array[last_step - 30, last_step], risk, divergence_step, now()
    from run where risk >= 0.5`);
}
