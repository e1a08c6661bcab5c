import { z } from 'zod';
import { scalarName } from './step.ts';
import { SCALAR_FIELDS, type StepScalar } from './step-fields.ts';

/** The custom scalar that pages draw beside the loss. */
export const EVAL_LOSS = 'evalLoss';

/** What a name of another tracker can stand for: a field of a step, or the custom scalar {@link EVAL_LOSS}. */
export type MetricTarget = StepScalar | typeof EVAL_LOSS;
/** A parsed {@link MetricTarget}. */
export const metricTarget = z.enum<readonly MetricTarget[]>([...SCALAR_FIELDS.map(({ name }) => name), EVAL_LOSS]);

/** The name that stands for each target in one run. */
export type RunNames = Partial<Record<MetricTarget, string>>;

/** Names of which a project can say what they stand for. */
export const MAX_PROJECT_NAMES = 1_000;

/** What a project makes of names, in place of {@link targetOf}; null where a name stands for nothing but itself. */
export const projectNames = z
  .record(scalarName, metricTarget.nullable())
  .refine((names) => Object.keys(names).length <= MAX_PROJECT_NAMES, `more than ${MAX_PROJECT_NAMES} names`);
/** A parsed {@link projectNames}. */
export type ProjectNames = z.infer<typeof projectNames>;

/**
 * How trackers, frameworks and logs call what Evenkeel has a field for, in words: of two names that one run reports the
 * earlier in its list stands for the field. Seen in the releases that docs/names.md lists.
 */
const NAMES: Record<MetricTarget, readonly string[]> = {
  loss: [
    ...['loss', 'train loss', 'loss train', 'training loss', 'lm loss', 'train lm loss', 'lm loss training'],
    ...['loss metrics global avg loss', 'global avg loss', 'train loss step', 'loss step', 'train cross entropy loss'],
    ...['train loss epoch', 'loss epoch', 'train ce loss', 'cross entropy loss', 'nll loss', 'step loss', 'batch loss'],
  ],
  gradNorm: [
    ...['grad norm', 'train grad norm', 'gradient norm', 'global grad norm', 'train global grad norm', 'gnorm'],
    ...['train gradient norm', 'grad norm train', 'total grad norm', 'optim total grad norm', 'grad 2 0 norm total'],
  ],
  lr: [
    ...['lr', 'learning rate', 'train learning rate', 'train lr', 'lr train', 'optim lr', 'learning rate train'],
    ...[
      'learning rate default',
      'lr adamw',
      'lr adam',
      'lr sgd',
      'lr muon',
      'lr adamw pg1',
      'lr adam pg1',
      'lr sgd pg1',
    ],
    ...['optim learning rate group0', 'learning rate group0', 'lr group0'],
  ],
  tokens: [
    ...['tokens', 'tokens seen', 'n tokens seen', 'train tokens', 'consumed tokens', 'num input tokens seen'],
    ...[
      'train num input tokens seen',
      'total tokens',
      'train tokens seen',
      'trained tokens',
      'throughput total tokens',
    ],
  ],
  tevMean: ['tev mean', 'tev', 'train tev mean', 'train tev'],
  tevStd: ['tev std', 'train tev std'],
  gradVar: ['grad var', 'grad variance', 'gradient variance', 'train grad var', 'train grad variance'],
  lrAhead: ['lr ahead'],
  updateShare: ['update share'],
  updateRms: ['update rms'],
  attentionLogitMax: ['attention logit max', 'max attention logit'],
  evalLoss: [
    ...[
      'eval loss',
      'val loss',
      'valid loss',
      'validation loss',
      'loss eval',
      'loss val',
      'loss validation',
      'dev loss',
    ],
    ...['test loss', 'lm loss validation', 'validation metrics global avg loss', 'val loss epoch', 'eval lm loss'],
  ],
};

const TARGETS = new Map(
  Object.entries(NAMES).flatMap(([target, names]) =>
    names.map((name, rank) => [name, { target: target as MetricTarget, rank }] as const),
  ),
);

/** What a name stands for, such as `loss` for `train/loss`; null where that is nothing but itself. */
export function targetOf(name: string): MetricTarget | null {
  return TARGETS.get(wordsOf(name))?.target ?? null;
}

/** `train/gradNorm` and `train.grad_norm` → `train grad norm` */
function wordsOf(name: string): string {
  return name
    .replaceAll(/([a-z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, ' ')
    .trim();
}

/**
 * The names of a run, with those that further values bring: what stands for a target stays, a target that nothing stands
 * for yet gets the best of the new names.
 * @returns null where nothing changes.
 */
export function claimNames(known: RunNames, names: Iterable<string>, project: ProjectNames): RunNames | null {
  const ranks = new Map<MetricTarget, number>();
  const claimed: RunNames = {};
  for (const name of names) {
    const found = claimOf(name, project);
    if (!found || known[found.target] !== undefined) continue;
    if (found.rank >= (ranks.get(found.target) ?? Number.POSITIVE_INFINITY)) continue;
    ranks.set(found.target, found.rank);
    claimed[found.target] = name;
  }
  return ranks.size > 0 ? { ...known, ...claimed } : null;
}

/** What a person has decided comes before every guess. */
function claimOf(name: string, project: ProjectNames): { target: MetricTarget; rank: number } | null {
  if (!Object.hasOwn(project, name)) return TARGETS.get(wordsOf(name)) ?? null;
  const target = project[name] ?? null;
  return target && { target, rank: -1 };
}
