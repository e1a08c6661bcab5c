import { type Action, action, MAX_REASON_LENGTH, name, parse, runId, text } from '@evenkeel/protocol';
import { Command, Option } from 'commander';
import { z } from 'zod';
import { ask, type Client, connect } from '../client.ts';
import { environment } from '../environment.ts';
import { Failure } from '../failure.ts';

const request = z.object({ run: runId, action, by: name, reason: text(MAX_REASON_LENGTH) });

interface Options {
  checkpoint?: true;
  reduceLr?: string;
  reason: string;
  by: string;
  server: string;
}

export function stopCommand(): Command {
  return new Command('stop')
    .description('tell a running trainer to stop after the step in hand, or one of the milder things below')
    .argument('<run>', 'the id that "evenkeel runs" shows')
    .option('--checkpoint', 'keep its state and go on, instead of stopping')
    .addOption(
      new Option('--reduce-lr <factor>', 'multiply its learning rate and go on, instead of stopping').conflicts(
        'checkpoint',
      ),
    )
    .option('--reason <text>', 'why, for the history of the run', 'from the command line')
    .option('--by <name>', 'who says so, for the history of the run', environment.user ?? 'command line')
    .option('--server <url>', 'the running server (EVENKEEL_SERVER)', environment.server)
    .action(async (run: string, { server, by, reason, ...options }: Options) => {
      const given = parse(request, { run, action: actionOf(options), by, reason });
      console.log(describe(await ask(server, connect(server).run.command.mutate(given))));
    });
}

function actionOf({ checkpoint, reduceLr }: Pick<Options, 'checkpoint' | 'reduceLr'>): Action {
  if (checkpoint) return { kind: 'checkpoint' };
  return reduceLr === undefined ? { kind: 'stop' } : { kind: 'reduce-lr', factor: Number(reduceLr) };
}

/** @throws Failure where the trainer refused, or had ended. */
function describe({ run, kind, factor, status, error }: Answer): string {
  const asked = kind === 'reduce-lr' ? `multiply its learning rate by ${factor}` : ASKED[kind];
  if (status === 'expired') throw new Failure(`${run} ended before it could be asked to ${asked}`);
  if (status === 'failed') throw new Failure(`${run} refuses to ${asked}: ${error}`);
  if (status !== 'pending') return `${run} has been asked to ${asked}.`;
  return `${run} will be asked to ${asked} as soon as its trainer is connected; it has not answered yet.`;
}

const ASKED = { stop: 'stop', checkpoint: 'keep a checkpoint' };

type Answer = Awaited<ReturnType<Client['run']['command']['mutate']>>;
