import type { RuleName, StepRuleName } from '@evenkeel/stability';
import Link from 'next/link';
import { formatCount, formatInstant } from '../../components/format.ts';
import type { TriedRun } from '../../trpc/client.tsx';
import { Failure } from '../../trpc/failure.tsx';
import { SeverityMark } from '../alert/alert-mark.tsx';
import { RunStatusMark } from '../run/run-status.tsx';
import classes from './rule-trial.module.css';
import { alertedWords, cutWords, hrefAround, isTriable, rulesOf, runsWords, trialWords } from './trial-words.ts';
import type { RuleTrial } from './use-rule-trial.ts';

/** What a rule would have found, in a sentence. */
export function TrialLine({ rule, runs }: { rule: RuleName; runs: readonly TriedRun[] }) {
  if (runs.length === 0) return null;
  return (
    <strong>
      {isTriable(rule)
        ? `With these settings it ${trialWords(rule, runs)}`
        : 'Not tried: this rule depends on the server’s clock, whose past readings are not stored'}
    </strong>
  );
}

interface ProgressProps {
  trial: RuleTrial | null;
  isPending: boolean;
  error: { message: string } | null;
}

/** How far a trial is, and where to find what came of it. */
export function TrialProgress({ trial, isPending, error }: ProgressProps) {
  if (error) return <Failure what="Not tried" error={error} />;
  if (isPending)
    return <span>{trial ? `Tried on ${trial.runs.length} of the newest ${runsWords(trial.of)} …` : 'Trying …'}</span>;
  if (!trial) return null;
  return (
    <span>
      Tried on the newest {runsWords(trial.of)}: <a href="#past-runs">see them</a>
    </span>
  );
}

interface Props {
  trial: RuleTrial;
  /** The form asks for other settings by now. */
  isOld: boolean;
}

/** Each of a project's past runs with the alerts that the tried settings would have raised, beside those that it had. */
export function RuleTrialSection({ trial: { runs, of, maxSteps }, isOld }: Props) {
  return (
    <section id="past-runs" aria-labelledby="past-runs-title" className={classes.trial}>
      <h2 id="past-runs-title">On past runs</h2>
      <p className={classes.note}>
        {of === 0
          ? 'This project has no runs yet: there is nothing to try the rules on.'
          : `The newest ${runsWords(runs.length)}, judged from their recorded steps; nothing is saved and nobody is alerted.`}
        {runs.length > 0 && ` With these settings: ${alertedWords(runs)}`}
        {isOld && <strong> The settings have changed since: try them again.</strong>}
      </p>
      {runs.length > 0 && (
        <table>
          <thead>
            <tr>
              <th scope="col">Run</th>
              <th scope="col">With these settings</th>
              <th scope="col">Alerts it had</th>
            </tr>
          </thead>
          <tbody>
            {runs.map((run) => (
              <tr key={run.id}>
                <RunCell run={run} maxSteps={maxSteps} />
                <AlertsCell run={run} of="tried" beside="had" word="new" />
                <AlertsCell run={run} of="had" beside="tried" word="gone" />
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

function RunCell({ run, maxSteps }: { run: TriedRun; maxSteps: number }) {
  const cut = cutWords(run, maxSteps);
  return (
    <th scope="row">
      <Link href={`/runs/${run.id}`} prefetch={false} title={`started ${formatInstant(run.startedAt)}`}>
        {run.name}
      </Link>
      <div className={classes.outcome}>
        <RunStatusMark status={run.status} /> · <Divergence run={run} />
      </div>
      {cut && <small>{cut}</small>}
    </th>
  );
}

function Divergence({ run: { divergedAt, lastStep } }: { run: TriedRun }) {
  if (lastStep === null) return 'no steps';
  if (divergedAt === null) return 'did not diverge';
  return <strong>diverged at step {formatCount(divergedAt)}</strong>;
}

interface AlertsProps {
  run: TriedRun;
  of: 'tried' | 'had';
  beside: 'tried' | 'had';
  /** What to call a rule of which there is nothing beside. */
  word: string;
}

function AlertsCell({ run, of, beside, word }: AlertsProps) {
  const rules = rulesOf(run, of);
  const others = rulesOf(run, beside);
  return (
    <td>
      {rules.length === 0 && <span className={classes.none}>none</span>}
      {rules.map((rule) => (
        <div key={rule} className={classes.rule}>
          {rule} {!others.includes(rule) && <em>{word}</em>}
          <AlertList run={run} rule={rule} of={of} />
        </div>
      ))}
    </td>
  );
}

function AlertList({ run, rule, of }: { run: TriedRun; rule: StepRuleName; of: 'tried' | 'had' }) {
  const { count, alerts } = run.rules[rule][of];
  const further = count - alerts.length;
  return (
    <ul>
      {alerts.map(({ attempt, step, severity }, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: in order, and two may be of the same step
        <li key={at} data-severity={severity}>
          <SeverityMark severity={severity} />{' '}
          <span>
            {severity} at <Link href={hrefAround(run.id, step)} prefetch={false}>{`step ${formatCount(step)}`}</Link>
            {attempt < run.newestAttempt && ` of attempt ${attempt}`}
          </span>
        </li>
      ))}
      {further > 0 && <li>and {formatCount(further)} more</li>}
    </ul>
  );
}
