import { MAX_REASON_LENGTH, parse, runId, text } from '@evenkeel/protocol';
import { Command } from 'commander';
import { z } from 'zod';
import { ask, connect } from '../client.ts';
import { environment } from '../environment.ts';

const request = z.object({ run: runId, reason: text(MAX_REASON_LENGTH) });

export function stopCommand(): Command {
  return new Command('stop')
    .description('ask a running trainer to stop; it ends the step in hand first')
    .argument('<run>', 'the id that "evenkeel runs" shows')
    .option('--reason <text>', 'why, for the history of the run', 'stopped from the command line')
    .option('--server <url>', 'the running server (EVENKEEL_SERVER)', environment.server)
    .action(async (id: string, { reason: why, server }) => {
      const { run, reason } = parse(request, { run: id, reason: why });
      await ask(server, connect(server).run.stop.mutate({ run, reason }));
      console.log(`${run} has been asked to stop.`);
    });
}
