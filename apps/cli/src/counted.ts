/**
 * A number of things: `1 step`, `3 values of lr`.
 * @param what in the plural; what follows an "of" or a colon stays.
 */
export function counted(count: number, what: string): string {
  return `${count} ${count === 1 ? what.replace(/s(?= of |: |$)/, '') : what}`;
}
