import { type Action, action as commandAction, MAX_REASON_LENGTH, name, parse, runId, text } from '@evenkeel/protocol';
import { action, flag, toggle } from '@evenkeel/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { ask, type Client, connect } from '../client.ts';
import { serverFlag } from '../common-flags.ts';
import { environment } from '../environment.ts';
import { Failure } from '../failure.ts';

const request = z.object({ run: runId, action: commandAction, by: name, reason: text(MAX_REASON_LENGTH) });

const flags = z.object({
  checkpoint: toggle('save a checkpoint and continue, instead of stopping'),
  reduceLr: flag(z.number().optional(), {
    value: '<factor>',
    help: 'multiply its learning rate and continue, instead of stopping',
    conflicts: ['checkpoint'],
  }),
  reason: flag(z.string().default('from the command line'), {
    value: '<text>',
    help: 'reason, for the history of the run',
  }),
  by: flag(z.string().default(environment.user ?? 'command line'), {
    value: '<name>',
    help: 'who gives the command, for the history of the run',
  }),
  server: serverFlag,
});
type Flags = z.output<typeof flags>;

export function stopCommand(): Command {
  const command = new Command('stop')
    .description(
      'stop a running trainer after its current step, or save a checkpoint or lower its learning rate instead',
    )
    .argument('<run>', 'the id that "evenkeel runs" shows');
  return action(command, flags, async ({ server, by, reason, ...given }, run: string) => {
    const asked = parse(request, { run, action: actionOf(given), by, reason });
    console.log(describe(await ask(server, connect(server).run.command.mutate(asked))));
  });
}

function actionOf({ checkpoint, reduceLr }: Pick<Flags, 'checkpoint' | 'reduceLr'>): Action {
  if (checkpoint) return { kind: 'checkpoint' };
  return reduceLr === undefined ? { kind: 'stop' } : { kind: 'reduce-lr', factor: reduceLr };
}

/** @throws Failure where the trainer refused, or had ended. */
function describe({ run, kind, factor, status, error }: Answer): string {
  const asked = kind === 'reduce-lr' ? `multiply its learning rate by ${factor}` : ASKED[kind];
  if (status === 'expired') throw new Failure(`${run} ended before it could be asked to ${asked}`);
  if (status === 'failed') throw new Failure(`${run} refuses to ${asked}: ${error}`);
  if (status !== 'pending') return `${run} has been asked to ${asked}.`;
  return `${run} will be asked to ${asked} as soon as its trainer connects; it has not answered yet.`;
}

const ASKED = { stop: 'stop', checkpoint: 'save a checkpoint' };

type Answer = Awaited<ReturnType<Client['run']['command']['mutate']>>;
