import type { AlertCount } from '@evenkeel/db';
import { SEVERITIES, type Severity } from '@evenkeel/protocol';
import { STEP_RULE_NAMES } from '@evenkeel/stability';

/** How the alerts of one rule and severity turned out. A person's mark goes before what became of the run. */
export interface AlertRecord {
  rule: string;
  /** The worst that they became. */
  severity: Severity;
  alerts: number;
  /** Those that came true: their run diverged after them, or a person marked them so. */
  diverged: number;
  markedTrue: number;
  /** Neither true nor false: their run had diverged when they were raised. */
  late: number;
  /** False alarms: their run finished without diverging, or a person marked them so. */
  healthy: number;
  markedFalse: number;
  /** Neither yet: their run is not over. */
  running: number;
  /** Neither: their run ended unfinished or was changed, or the rule is not about divergence. */
  unknown: number;
}

/** Sums alerts up by rule and severity. Divergence says nothing about a rule that goes by the clock. */
export function recordOf(counts: readonly AlertCount[]): AlertRecord[] {
  const records = new Map<string, AlertRecord>();
  for (const { rule, severity, alerts, ...rest } of counts) {
    const key = `${rule} ${severity}`;
    const record = records.get(key) ?? emptyRecord(rule, severity);
    record.alerts += alerts;
    record[partOf({ rule, ...rest })] += alerts;
    records.set(key, record);
  }
  return [...records.values()].sort(
    (one, other) =>
      one.rule.localeCompare(other.rule, 'en') || SEVERITIES.indexOf(other.severity) - SEVERITIES.indexOf(one.severity),
  );
}

function partOf({ rule, feedback, outcome, late }: Pick<AlertCount, 'rule' | 'feedback' | 'outcome' | 'late'>) {
  if (feedback === 'true') return 'markedTrue';
  if (feedback === 'false alarm') return 'markedFalse';
  if (!isAboutDivergence(rule)) return 'unknown';
  return late ? 'late' : outcome;
}

function isAboutDivergence(rule: string): boolean {
  return STEP_RULE_NAMES.some((name) => name === rule);
}

function emptyRecord(rule: string, severity: Severity): AlertRecord {
  const none = { diverged: 0, markedTrue: 0, late: 0, healthy: 0, markedFalse: 0, running: 0, unknown: 0 };
  return { rule, severity, alerts: 0, ...none };
}
