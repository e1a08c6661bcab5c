import { readFile } from 'node:fs/promises';
import { parse, printable, RefusedError, type RuleSettings, ruleSettings } from '@evenkeel/protocol';
import { Detector, type Finding, problemOfRules } from '@evenkeel/stability';
import { Command } from 'commander';
import { Failure } from '../failure.ts';
import { readCount } from '../numbers.ts';
import { byRun, type RecordedAttempt, readRecordings } from '../recordings.ts';

export function replayCommand(): Command {
  return new Command('replay')
    .description('judge recorded runs by the rules that live ones are judged by')
    .argument('<file...>', 'recordings (JSON lines, plain or .gz), or patterns of them')
    .option('--json', 'print one JSON object a line for each alert that opens or becomes worse, and nothing else')
    .option('--every <n>', 'keep each n-th step, as if the trainer had logged so seldom', readCount, 1)
    .option('--rules <file>', 'a JSON file with settings of rules that differ from the defaults')
    .action(async (files: string[], { json, every, rules }: { json?: true; every: number; rules?: string }) => {
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
      if (!json) console.error(`${runs} runs, ${alerts} alerts opened or made worse.`);
    });
}

async function readSettings(file: string): Promise<RuleSettings> {
  try {
    const settings = parse(ruleSettings, JSON.parse(await readFile(file, 'utf8')));
    const wrong = problemOfRules(settings);
    if (wrong) throw new RefusedError(wrong.field, wrong.problem);
    return settings;
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

/**
 * As the gateway judges: one detector for all attempts of a run, and a superseded attempt says nothing. `stalled` needs a
 * clock that goes on while nothing comes, and so has nothing to say here.
 */
async function* replay(attempts: readonly RecordedAttempt[], { every, settings }: ReplayOptions) {
  const detector = new Detector(settings);
  let newest = 0;
  for (const attempt of attempts) {
    if (attempt.start.attempt < newest) continue;
    newest = attempt.start.attempt;
    let at = 0;
    let judged: number | null = null;
    for await (const step of attempt.readSteps()) {
      // What an attempt tells again replaces what it told, and is not judged again.
      if (at++ % every !== 0 || step.step <= (judged ?? -1)) continue;
      if (judged === null) detector.newAttempt(step.step);
      judged = step.step;
      for (const verdict of detector.observe(step))
        if (verdict.kind !== 'resolved') yield { run: attempt.start.id, finding: verdict.finding };
    }
  }
}

function printJson(run: string, { step, rule, severity, risk, divergenceStep, message }: Finding): void {
  console.log(JSON.stringify({ run, step, rule, severity, risk, divergenceStep, message }));
}

function printLine(run: string, { step, rule, severity, message }: Finding): void {
  console.log(printable(`${run}  step ${step}  ${severity} ${rule}: ${message}`));
}
