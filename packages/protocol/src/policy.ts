import { z } from 'zod';

/** End training as soon as it is safe. */
export const stop = z.object({ kind: z.literal('stop') });
/** Keep the state, and go on. */
export const checkpoint = z.object({ kind: z.literal('checkpoint') });
/** Multiply the learning rate, from the next step on and for the rest of the run. */
export const reduceLr = z.object({ kind: z.literal('reduce-lr'), factor: z.number().min(1e-6).lt(1) });

/** What a trainer can be told to do. */
export const action = z.discriminatedUnion('kind', [stop, checkpoint, reduceLr]);
export type Action = z.infer<typeof action>;

const reaction = z.discriminatedUnion('kind', [z.object({ kind: z.literal('observe') }), stop, checkpoint, reduceLr]);
/** What is done about an alert. */
export type Reaction = z.infer<typeof reaction>;

/** What a run wants done when an alert opens with a severity or becomes that severe. */
export const policy = z.object({
  warning: reaction.default({ kind: 'observe' }),
  critical: reaction.default({ kind: 'observe' }),
});
export type Policy = z.infer<typeof policy>;
export type PolicyInput = z.input<typeof policy>;
