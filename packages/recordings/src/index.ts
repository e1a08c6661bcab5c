export { byRun, type RecordedAttempt, type Recording, readRecording, readRecordings } from './read.ts';
export { RecordingError } from './recording-error.ts';
export { RecordingWriter } from './writer.ts';
