import type { Severity } from './rules/rule.ts';
import { findRule } from './rules/rules.ts';

/** What a trainer can be asked to do, or (`observe`) nothing. */
interface Reaction {
  kind: string;
  /** Of a reaction that has one, such as the factor of a learning rate. */
  factor?: number;
}

/** A command that an unresolved alert has caused in the same attempt. */
export interface CausedCommand {
  /** The alert's id. */
  alert: string | null;
  kind: string;
  factor: number | null;
  status: string;
}

interface PolicyCase<Answer extends Reaction> {
  /** The alert that has opened or become worse. */
  alert: { id: string; rule: string; severity: Severity; attempt: number };
  /** The newest attempt of the run. */
  newest: { attempt: number; hasEnded: boolean; policy: Readonly<Record<Severity, Answer>> };
  caused: readonly CausedCommand[];
}

/** A command that has come to nothing may be given again. */
const FUTILE = ['failed', 'expired'];

/**
 * The command with which a run's policy answers an alert. Null where it asks for none, where no policy answers alerts of
 * that rule, where the alert's attempt has ended or another has begun, and where the unresolved alert of another rule
 * has caused the very same command.
 */
export function answerTo<Answer extends Reaction>({
  alert,
  newest,
  caused,
}: PolicyCase<Answer>): Exclude<Answer, { kind: 'observe' }> | null {
  if (!findRule(alert.rule)?.isAnswered) return null;
  if (newest.attempt !== alert.attempt || newest.hasEnded) return null;
  const answer = newest.policy[alert.severity];
  if (!isCommand(answer)) return null;
  const isGiven = caused.some(
    (command) =>
      command.alert !== alert.id &&
      command.kind === answer.kind &&
      command.factor === (answer.factor ?? null) &&
      !FUTILE.includes(command.status),
  );
  return isGiven ? null : answer;
}

function isCommand<Answer extends Reaction>(answer: Answer): answer is Exclude<Answer, { kind: 'observe' }> {
  return answer.kind !== 'observe';
}
