import { z } from 'zod';

// What may be told to the rules of packages/stability, which knows what each means and what it is by default.

const risk = z.number().min(0).max(1);
const positive = z.number().positive();
const count = z.number().int().min(0).max(1_000_000);

const common = { enabled: z.boolean(), resolveSteps: count, cooldownSteps: count };

/** Only what differs from the defaults; a misspelt name is refused and not passed over. */
export const ruleSettings = z
  .strictObject({
    'tev-growth': z
      .strictObject({
        ...common,
        warning: risk,
        critical: risk,
        surgeWarning: risk,
        surgeCritical: risk,
        calm: risk,
      })
      .partial(),
    'grad-variance': z.strictObject({ ...common, warning: positive, critical: positive }).partial(),
    'loss-spike': z.strictObject({ ...common, sigmas: positive, lostShare: positive, lostSteps: count }).partial(),
    'non-finite': z.strictObject(common).partial(),
    stalled: z
      .strictObject({
        enabled: z.boolean(),
        warningTimes: positive,
        criticalTimes: positive,
        warningSeconds: positive,
        criticalSeconds: positive,
      })
      .partial(),
  })
  .partial();
export type RuleSettings = z.infer<typeof ruleSettings>;
