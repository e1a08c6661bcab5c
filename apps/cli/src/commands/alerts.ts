import { action, flag } from '@evenkeel/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { serverFlag } from '../common-flags.ts';
import { readApi } from '../http-api.ts';

const PAGE_ALERTS = '200';

const flags = z.object({
  project: flag(z.string().optional(), { value: '<name>', help: 'only alerts of this project' }),
  rule: flag(z.string().optional(), { value: '<name>', help: 'only alerts of this rule' }),
  server: serverFlag,
});

const alertPage = z.object({ alerts: z.array(z.unknown()), nextCursor: z.string().nullable() });

export function alertsCommand(): Command {
  const command = new Command('alerts').description(
    'print alerts as JSON lines, the newest first: what each rule saw, feedback, and what became of the run',
  );
  return action(command, flags, async ({ server, project, rule }) => {
    const filter = { ...(project !== undefined && { project }), ...(rule !== undefined && { rule }) };
    let cursor: string | null = null;
    do {
      const search: Record<string, string> = { ...filter, limit: PAGE_ALERTS, ...(cursor !== null && { cursor }) };
      const page = alertPage.parse(await (await readApi(server, '/alerts', search)).json());
      for (const alert of page.alerts) console.log(JSON.stringify(alert));
      cursor = page.nextCursor;
    } while (cursor !== null);
  });
}
