import { z } from 'zod';

/** End training as soon as it is safe. */
export const stop = z.object({ kind: z.literal('stop') });
/** Save a checkpoint, and continue. */
export const checkpoint = z.object({ kind: z.literal('checkpoint') });
/** Multiply the learning rate, from the next step on and for the rest of the run. */
export const reduceLr = z.object({ kind: z.literal('reduce-lr'), factor: z.number().min(1e-6).lt(1) });

/** What a trainer can be asked to do. */
export const action = z.discriminatedUnion('kind', [stop, checkpoint, reduceLr]);
/** A parsed {@link action}. */
export type Action = z.infer<typeof action>;

const reaction = z.discriminatedUnion('kind', [z.object({ kind: z.literal('observe') }), stop, checkpoint, reduceLr]);
/** The answer of a policy to an alert: an action, or only to observe. */
export type Reaction = z.infer<typeof reaction>;

/** The reaction of a run to an alert that opens with a severity, or reaches it. */
export const policy = z.object({
  warning: reaction.default({ kind: 'observe' }),
  critical: reaction.default({ kind: 'observe' }),
});
/** A parsed {@link policy}: a reaction for each severity. */
export type Policy = z.infer<typeof policy>;
/** A {@link policy} as a trainer sends it: what is absent is `observe`. */
export type PolicyInput = z.input<typeof policy>;
