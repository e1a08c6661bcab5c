import type { AlertFeedback } from '@evenkeel/protocol';
import { STEP_RULE_NAMES } from '@evenkeel/stability';
import { formatCount } from '../../components/format.ts';
import type { ListedAlert } from '../../trpc/client.tsx';

/** A mark, as a part of a sentence. */
export const MARK_WORDS: Record<AlertFeedback, string> = { true: 'marked true', 'false alarm': 'marked a false alarm' };

type Known = Pick<ListedAlert, 'rule' | 'step' | 'outcome' | 'onset' | 'late'>;

/** What became of the run after an alert; null for a rule about which divergence says nothing. */
export function outcomeWords({ rule, step, outcome, onset, late }: Known): string | null {
  if (!STEP_RULE_NAMES.some((name) => name === rule)) return null;
  if (late && onset !== null) {
    return `The run had diverged at step ${formatCount(onset)}, ${onset < step ? 'before' : 'the step of'} this alert.`;
  }
  if (outcome === 'diverged') return `The run diverged${onset === null ? '' : ` at step ${formatCount(onset)}`}.`;
  if (outcome === 'healthy') return 'The run finished without diverging.';
  if (outcome === 'running') return 'The run is not over.';
  return 'The run did not finish, was rewound, or a command changed it, before it could diverge.';
}
