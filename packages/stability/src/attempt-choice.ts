/** As much of an attempt as the choice between them needs. */
export interface KnownAttempt {
  number: number;
  hasEnded: boolean;
  /** By the trainer's clock, in milliseconds since 1970, as all times here. */
  startedAt: number;
  /** The attempt that its emitter believes to send; null where that is this one. */
  startedAs: number | null;
  sessions: readonly string[];
}

/** What an emitter asks for when it starts. */
export interface AttemptWish {
  attempt: number | 'next' | 'resume';
  /** Made by the client, the same each time it starts the same attempt again. */
  session: string | null;
  startedAt: number;
}

/**
 * The attempt that a start is of. A number is that attempt, or the newest that was opened in its place for a job which
 * was queued again under the same number. `next` and `resume` are what the session was given before, where it was.
 * @param attempts all of the run, in order.
 */
export function chooseAttempt({ attempt, session, startedAt }: AttemptWish, attempts: readonly KnownAttempt[]): number {
  if (typeof attempt === 'number') {
    const inPlace = attempts.findLast((each) => each.startedAs === attempt && each.startedAt <= startedAt);
    return inPlace?.number ?? attempt;
  }
  const newest = attempts.at(-1);
  if (!newest) return 1;
  const given = session === null ? undefined : attempts.findLast(({ sessions }) => sessions.includes(session));
  if (given) return given.number;
  return attempt === 'resume' && !newest.hasEnded ? newest.number : newest.number + 1;
}

/**
 * Whether the steps of a start are stored and no policy acts on them: the attempt had ended before, or a later one has begun.
 * @param attempts all of the run, in order, before the start.
 */
export function isInert(number: number, attempts: readonly KnownAttempt[]): boolean {
  const newest = attempts.at(-1);
  if (!newest || number > newest.number) return false;
  return number < newest.number || newest.hasEnded;
}

/**
 * Whether a start is of a job that began after the newest attempt had ended: its steps are another attempt's. A start
 * that is only repeated, by an emitter that has lost its connection or a file that is imported again, began before.
 * @param lastTime when the attempt's last step ended; null where it has none.
 */
export function isLaterLife(start: AttemptWish, chosen: KnownAttempt, lastTime: number | null): boolean {
  return chosen.hasEnded && start.startedAt > (lastTime ?? chosen.startedAt);
}
