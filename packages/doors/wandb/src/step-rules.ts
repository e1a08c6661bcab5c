import { z } from 'zod';

/** A rule of `define_metric`: the metric that is the step of one metric, or of all whose names begin so. */
export const stepRule = z.object({ name: z.string(), isPrefix: z.boolean(), step: z.string() });
/** A parsed {@link stepRule}. */
export type StepRule = z.infer<typeof stepRule>;

/** As the client sends it: `1` is the name, `2` a name with an asterisk, `5` the place of the step metric in the list, from 1. */
const sentRules = z.array(
  z.looseObject({ 1: z.string().optional(), 2: z.string().optional(), 5: z.number().int().optional() }),
);

/** The rules of a list of definitions, of which those without a step metric are none. */
export function readStepRules(sent: unknown): StepRule[] {
  const definitions = sentRules.safeParse(sent).data ?? []; // another release may write them otherwise
  return definitions.flatMap(({ 1: name, 2: glob, 5: place }): StepRule[] => {
    const step = place === undefined ? undefined : definitions[place - 1]?.[1];
    if (step === undefined) return [];
    if (name !== undefined) return [{ name, isPrefix: false, step }];
    return glob?.endsWith('*') ? [{ name: glob.slice(0, -1), isPrefix: true, step }] : [];
  });
}

/** Finds the step metric of each metric. */
export class StepRules {
  /** All metrics that are a step of others. */
  readonly steps: ReadonlySet<string>;
  readonly #byName: ReadonlyMap<string, string>;
  /** The longest prefix first. */
  readonly #byPrefix: readonly StepRule[];

  constructor(rules: readonly StepRule[]) {
    this.steps = new Set(rules.map(({ step }) => step));
    this.#byName = new Map(rules.filter(({ isPrefix }) => !isPrefix).map(({ name, step }) => [name, step]));
    this.#byPrefix = rules.filter(({ isPrefix }) => isPrefix).sort((one, other) => other.name.length - one.name.length);
  }

  /** The step metric of a metric by the rule of its name, else by the longest prefix; undefined without a rule. */
  stepOf(name: string): string | undefined {
    return this.#byName.get(name) ?? this.#byPrefix.find((rule) => name.startsWith(rule.name))?.step;
  }
}
