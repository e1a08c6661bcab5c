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
/** Tags of one run. */
export const MAX_TAGS = 64;
/** Characters of a tag. */
export const MAX_TAG_LENGTH = 100;
/** Characters of a run's notes, which are Markdown. */
export const MAX_NOTES_LENGTH = 65_536;
/** Characters of a run's configuration written as JSON. */
export const MAX_CONFIG_LENGTH = 65_536;
/** Entries of one report of dropped values, each a field and a reason. */
export const MAX_DROPPED = 1_024;
/** Characters of a reason: why a run ended, why a command was given, what its result is. */
export const MAX_REASON_LENGTH = 2_000;
/** Lines in one message of a run's console output. */
export const MAX_CONSOLE_LINES = 1_000;
/** Characters of one line of it; what is longer is cut. */
export const MAX_CONSOLE_LINE_LENGTH = 2_000;
/** Lines of it that are kept with a run: the newest. */
export const MAX_KEPT_CONSOLE_LINES = 10_000;
/** Characters of a person's note on an alert. */
export const MAX_NOTE_LENGTH = 2_000;
/** The largest step number: it stays exact in float64 and leaves room for bucket arithmetic. */
export const MAX_STEP = 2 ** 40;
/** The smallest step number: imports of runs of other trackers may have negative steps. */
export const MIN_STEP = -MAX_STEP;
/** 9999-12-31T23:59:59.999Z, the last instant of four-digit years, in milliseconds since 1970. */
export const MAX_TIME = 253_402_300_799_999;
/** The smallest time of a step, in milliseconds since 1970: a smaller one is in seconds, or counts from the run's start. */
export const MIN_STEP_TIME = 1e11;
/** The highest number of an attempt. */
export const MAX_ATTEMPT = 1_000_000;
/**
 * The highest attempt that a run may begin with. Above 1, because attempts before it may have been recorded offline or
 * lost with a server; far below MAX_ATTEMPT, so that no start can leave a run without a next attempt.
 */
export const MAX_FIRST_ATTEMPT = 1_000;
