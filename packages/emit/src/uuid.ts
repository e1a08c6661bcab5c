import { v7 } from 'uuid';

/** A UUID of version 7 (RFC 9562, section 5.7) of the time `now`, in milliseconds since 1970. */
export function uuidv7(now: number): string {
  return v7({ msecs: now });
}
