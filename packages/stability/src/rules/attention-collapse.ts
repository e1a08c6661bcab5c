import { readable } from '../readable.ts';
import type { Signals } from '../signals.ts';
import { type Assessment, type Level, positive, type StepObserver, stepRule } from './rule.ts';

interface Limits {
  calm: number;
  warning: number;
}

/**
 * The greatest attention logit is above a limit: a softmax over such logits puts nearly all its weight on one token, and
 * its gradient vanishes (attention entropy collapse, arXiv 2303.06296; logits that grow without bound under a learning rate
 * that is too high, arXiv 2309.14322). 100 is the limit at which QK-Clip scales queries and keys down (Kimi K2, arXiv
 * 2507.20534). Knows nothing of the steps before: the newest value judges.
 */
class AttentionCollapse implements StepObserver {
  readonly #limits: Limits;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  state(): null {
    return null;
  }

  observe({ step, attentionLogitMax: logit }: Signals): Assessment | null {
    if (logit == null || Number.isNaN(logit)) return null;
    const { warning } = this.#limits;
    const explain = () => ({
      message: `the greatest attention logit is ${readable(logit)}, above ${readable(warning)}: attention may collapse onto single tokens`,
      evidence: { ...(Number.isFinite(logit) && { attentionLogitMax: logit }) },
      from: step,
      risk: null,
      divergenceStep: null,
    });
    return { level: this.#level(logit), explain };
  }

  #level(logit: number): Level {
    const { calm, warning } = this.#limits;
    if (logit > warning) return 'warning';
    return logit > calm ? 'uneasy' : 'calm';
  }
}

export const attentionCollapse = stepRule({
  name: 'attention-collapse',
  title: 'Attention collapse',
  what: 'The greatest attention logit is far beyond where softmax leaves nearly all weight to one token, which then stops learning. A sign of a learning rate that is too high, not a forecast: a run may go on all the same.',
  formula: 'warning: attentionLogitMax > limit; calm again at the lower limit or below',
  source:
    'the limit: QK-Clip of Kimi K2, arXiv 2507.20534; growing logits as the sign: arXiv 2309.14322 and 2303.06296',
  settings: {
    calm: positive(80, 'Calm up to', 'attention logit'),
    warning: positive(100, 'Warning above', 'attention logit'),
  },
  ascending: [['calm', 'warning']],
  evidence: { attentionLogitMax: ['greatest attention logit', 'number'] },
  isAnswered: true,
  marks: 'attentionLogitMax',
  create: (settings) => new AttentionCollapse(settings),
});
