import type { RuleName, RuleSettings } from '@evenkeel/stability';

interface FieldDocs {
  label: string;
  unit: string;
}

type FieldsOf<Name extends RuleName> = Record<Exclude<keyof RuleSettings[Name], 'enabled'>, FieldDocs>;

interface RuleDocs<Name extends RuleName> {
  what: string;
  formula: string;
  source: string;
  fields: FieldsOf<Name>;
}

const COMMON = {
  resolveSteps: { label: 'Resolves once calm for', unit: 'steps' },
  cooldownSteps: { label: 'Then stays shut for', unit: 'steps' },
};

const risk = (label: string): FieldDocs => ({ label, unit: 'risk, 0 to 1' });

/** What each rule does, in a person's words; packages/stability/src/rules has them in code. */
export const RULE_DOCS: { [Name in RuleName]: RuleDocs<Name> } = {
  'tev-growth': {
    what: 'The forecast: how likely the loss blows up within 100 steps, from the growth of TEV over 40 steps, and over 8 for a surge.',
    formula:
      'risk = σ(w · x), the greater of two: x = exponent d log TEV / d log step, excess over proportional growth, agreement of gradients; for a surge x = speed, acceleration, spread',
    source:
      'TEV as the sign: Chung et al., arXiv 2409.07787. Weights and limits: fitted and measured on recorded runs (evenkeel bench forecast)',
    fields: {
      warning: risk('Growth: warning from'),
      critical: risk('Growth: critical from'),
      surgeWarning: risk('Surge: warning from'),
      surgeCritical: risk('Surge: critical from'),
      calm: risk('Calm below'),
      ...COMMON,
    },
  },
  'grad-variance': {
    what: 'Gradient variance is far above what it was. It comes late, or not at all, and is told beside the forecast.',
    formula: '(mean of log gradVar over 5 steps − its mean over the 64 before) ÷ its standard deviation over those',
    source: 'Chung et al., arXiv 2409.07787, section 3',
    fields: {
      warning: { label: 'Warning from', unit: 'standard deviations' },
      critical: { label: 'Critical from', unit: 'standard deviations' },
      ...COMMON,
    },
  },
  'loss-spike': {
    what: 'Warning: the loss jumps out of its recent range. Critical: much of what had been learned is lost, and stays lost.',
    formula:
      'warning: loss > mean + k · standard deviation of the 128 before; critical: median of 9 losses > best + max(share · (first − best), 0.4 nats) for as many steps',
    source: 'the warning: OLMo-core’s SkipStepOptimizer; the critical alert is what recorded runs are labelled by',
    fields: {
      sigmas: { label: 'Warning above', unit: 'standard deviations' },
      lostShare: { label: 'Critical once lost', unit: 'share of what was learned' },
      lostSteps: { label: 'and for', unit: 'steps' },
      ...COMMON,
    },
  },
  'non-finite': {
    what: 'Loss, TEV, gradient variance or gradient norm is NaN or infinite. Always critical.',
    formula: 'value ∉ ℝ',
    source: 'what every trainer checks',
    fields: COMMON,
  },
  stalled: {
    what: 'No step has come for far longer than the longest wait before. Resolves with the next step; no policy acts on it.',
    formula: 'silence > times · longest of the last 64 waits, and > seconds',
    source: 'our own; by the server’s clock',
    fields: {
      warningTimes: { label: 'Warning after', unit: 'times the longest wait' },
      warningSeconds: { label: 'and at least', unit: 'seconds' },
      criticalTimes: { label: 'Critical after', unit: 'times the longest wait' },
      criticalSeconds: { label: 'and at least', unit: 'seconds' },
    },
  },
};

export const RULE_NAMES = Object.keys(RULE_DOCS) as RuleName[];
