/** A recording that cannot be read or written; the message names the file, and where it can the line and the field. */
export class RecordingError extends Error {
  override readonly name = 'RecordingError';
}
