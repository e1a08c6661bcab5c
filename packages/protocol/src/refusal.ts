import { z } from 'zod';

/** The answer of a server to a message that it refused. */
export const refusal = z.object({
  /** One sentence for a person. */
  error: z.string(),
  /** Path of the offending field, such as `steps[3].loss`; empty when the whole message is meant. */
  field: z.string(),
  /** Whether the same message can succeed later. A message refused with `false` must not be resent. */
  retry: z.boolean(),
});
/** A parsed {@link refusal}. */
export type Refusal = z.infer<typeof refusal>;

/** A value that was left out of steps that were stored otherwise. */
export const droppedValue = z.object({
  /** Such as `loss` or `custom.accuracy`. */
  field: z.string(),
  /** One of `DROP_REASONS`; a later server may have others. */
  reason: z.string(),
  /** In how many steps. */
  count: z.number().int().min(1),
});
/** A parsed {@link droppedValue}. */
export type DroppedValue = z.infer<typeof droppedValue>;

/** A value of a step for which another emitter of the same attempt sent a different one; the later one is kept. */
export const conflict = z.object({
  /** Such as `loss` or `custom.accuracy`. */
  field: z.string(),
  step: z.number().int(),
});
/** A parsed {@link conflict}. */
export type Conflict = z.infer<typeof conflict>;

/** The newest attempt of a run. */
const newestAttempt = z.object({
  attempt: z.number().int(),
  lastStep: z.number().int().nullable(),
  /** Of the run; a later server may have others. */
  status: z.string(),
});

/** The answer of a server to a message that it took, once what it does is durable. */
export const accepted = z.object({
  ok: z.literal(true),
  /** Values that were dropped; absent where none was. */
  dropped: z.array(droppedValue).optional(),
  /** The attempt that was started, or that steps were stored as, where that is not the one they name. */
  attempt: z.number().int().optional(),
  /** In the answer to `run:start`. */
  newest: newestAttempt.optional(),
  /** A sentence for a person, where the message had an effect that its sender may not expect. */
  warning: z.string().optional(),
  /** Conflicts with another emitter, the first of them where they are many; absent where there is none. */
  conflicts: z.array(conflict).optional(),
});
/** A parsed {@link accepted}. */
export type Accepted = z.infer<typeof accepted>;

/** The answer to every message on `/ingest`. */
export const ack = z.union([accepted, refusal]);
/** A parsed {@link ack}. */
export type Ack = Accepted | Refusal;

/** Thrown wherever a message does not keep to the protocol; becomes a {@link Refusal} on the wire. */
export class RefusedError extends Error {
  readonly field: string;
  readonly retry: boolean;

  constructor(field: string, message: string, retry = false) {
    super(message);
    this.name = 'RefusedError';
    this.field = field;
    this.retry = retry;
  }

  toRefusal(): Refusal {
    return { error: this.message, field: this.field, retry: this.retry };
  }
}

/**
 * Parses a value from outside.
 * @throws RefusedError naming the first field that is wrong.
 */
export function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  if (!issue) throw result.error;
  throw new RefusedError(fieldPath(issue.path), issue.message);
}

/** `['steps', 3, 'loss']` → `steps[3].loss` */
function fieldPath(path: readonly PropertyKey[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    return text ? `${text}.${String(part)}` : String(part);
  }, '');
}
