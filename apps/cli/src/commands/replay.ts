import { readFile } from 'node:fs/promises';
import { parse, printable, RefusedError } from '@evenkeel/protocol';
import { byRun, type RecordedAttempt, readRecordings } from '@evenkeel/recordings';
import {
  AttemptReplay,
  type Finding,
  type ReplayedAttempt,
  type RuleSettings,
  ruleSettings,
} from '@evenkeel/stability';
import { action, count, flag, toggle } from '@evenkeel/terminal';
import { Command } from 'commander';
import { z } from 'zod';
import { Failure } from '../failure.ts';

const flags = z.object({
  json: toggle('print one JSON object per line for each alert that opens or escalates, and nothing else'),
  every: flag(count.default(1), {
    value: '<n>',
    help: 'keep every n-th step, as if the trainer had logged less often',
  }),
  rules: flag(z.string().optional(), {
    value: '<file>',
    help: 'JSON file with the settings of rules that differ from the defaults',
  }),
});

export function replayCommand(): Command {
  const command = new Command('replay')
    .description('judge recorded runs by the same rules as live ones')
    .argument('<file...>', 'recordings: JSON lines, plain or compressed (.gz), or glob patterns of them');
  return action(command, flags, async ({ json, every, rules }, files: string[]) => {
    const settings = rules === undefined ? {} : await readSettings(rules);
    const print = json ? printJson : printLine;
    let runs = 0;
    let alerts = 0;
    for await (const recording of readRecordings(files, (message) => console.error(printable(message)))) {
      for (const attempts of byRun(recording.runs)) {
        runs += 1;
        for await (const { run, finding } of replay(attempts, { every, settings })) {
          print(run, finding);
          alerts += 1;
        }
      }
    }
    if (!json) console.error(`${runs} runs, ${alerts} alerts opened or escalated.`);
  });
}

async function readSettings(file: string): Promise<RuleSettings> {
  try {
    return parse(ruleSettings, JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    if (error instanceof RefusedError)
      throw new SettingsError(`${file}: ${error.field ? `${error.field}: ` : ''}${error.message}`);
    throw new SettingsError(`${file}: ${error instanceof Error ? error.message : error}`);
  }
}

class SettingsError extends Failure {
  override readonly exitCode = 2;
}

interface ReplayOptions {
  every: number;
  settings: RuleSettings;
}

/** As the server judges; rules that need a clock are left out, and so are attempts that come after a later one. */
async function* replay(attempts: readonly RecordedAttempt[], { every, settings }: ReplayOptions) {
  const inOrder = attempts.filter(({ start }, at) => {
    return attempts.slice(0, at).every((former) => former.start.attempt <= start.attempt);
  });
  const replayed = new AttemptReplay(inOrder.flatMap(replayedAttempt), settings);
  for (const { start, readSteps } of inOrder) {
    let at = 0;
    let judged: number | null = null;
    for await (const step of readSteps()) {
      // What an attempt sends again is not judged again.
      if (at++ % every !== 0 || (judged !== null && step.step <= judged)) continue;
      judged = step.step;
      for (const verdict of replayed.observe(start.attempt, step))
        if (verdict.kind !== 'resolved') yield { run: start, finding: verdict.finding };
    }
  }
}

function replayedAttempt({ start, firstStep, finish }: RecordedAttempt): ReplayedAttempt[] {
  return firstStep === null ? [] : [{ number: start.attempt, firstStep, hasEnded: finish !== null }];
}

type RecordedRun = Pick<RecordedAttempt['start'], 'id' | 'name'>;

function printJson({ id: run }: RecordedRun, { step, rule, severity, risk, divergenceStep, message }: Finding): void {
  console.log(JSON.stringify({ run, step, rule, severity, risk, divergenceStep, message }));
}

function printLine({ id, name }: RecordedRun, { step, rule, severity, message }: Finding): void {
  console.log(
    printable(`${name === undefined ? id : `${name} (${id})`}  step ${step}  ${severity} ${rule}: ${message}`),
  );
}
