/** The largest message a server reads, in bytes. Larger ones close the connection. */
export const MAX_FRAME_BYTES = 8 * 1024 * 1024;
/** Steps in one batch. */
export const MAX_BATCH_STEPS = 4096;
/** Layers a run may name, and values a per-layer field may hold. */
export const MAX_LAYERS = 512;
/** Distinct custom scalars of one run. */
export const MAX_CUSTOM_SCALARS = 10_000;
/** Characters of the name of a custom scalar: frameworks make them of a module's whole path. */
export const MAX_SCALAR_NAME_LENGTH = 500;
/** Characters of any other name: project, run, owner, layer, key. */
export const MAX_NAME_LENGTH = 200;
export const MAX_TAGS = 64;
export const MAX_TAG_LENGTH = 100;
export const MAX_NOTES_LENGTH = 65_536;
/** Characters of a run's configuration written as JSON. */
export const MAX_CONFIG_LENGTH = 65_536;
/** What a client may report at once that it left out: fields and reasons. */
export const MAX_DROPPED = 1_024;
export const MAX_REASON_LENGTH = 2_000;
/** Characters of a person's note on an alert. */
export const MAX_NOTE_LENGTH = 2_000;
/** The largest step number: it stays exact in float64 and leaves room for bucket arithmetic. */
export const MAX_STEP = 2 ** 40;
/** The smallest: other trackers have negative steps, so imports of their runs do. */
export const MIN_STEP = -MAX_STEP;
/** 9999-12-31T23:59:59.999Z, the last instant of four-digit years, in milliseconds since 1970. */
export const MAX_TIME = 253_402_300_799_999;
/** The smallest time of a step that is sent, in 1973: what is below is in seconds, or counts from the start of its run. */
export const MIN_STEP_TIME = 1e11;
export const MAX_ATTEMPT = 1_000_000;
/**
 * The highest attempt that a run may begin with. Above 1, because attempts before it may have been recorded offline or
 * lost with a server; far below MAX_ATTEMPT, so that no start can leave a run without a next attempt.
 */
export const MAX_FIRST_ATTEMPT = 1_000;
