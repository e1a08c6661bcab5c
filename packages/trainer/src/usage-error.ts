/** Something that whoever started the trainer can mend: its message says what, and no stack is wanted. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
