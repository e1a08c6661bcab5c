export interface PaceSample {
  /** Milliseconds, of one clock. */
  readonly at: number;
  readonly step: number;
}

const WINDOW_MS = 10_000;
const SAMPLE_EVERY_MS = 500;

/** Adds where a run stands; keeps what the last ten seconds need, and at least the newest two samples. */
export function addSample(samples: readonly PaceSample[], step: number | null, now: number): readonly PaceSample[] {
  const last = samples.at(-1);
  if (step === null || step === last?.step) return samples;
  if (last && step < last.step) return [{ at: now, step }]; // rewound: a new start
  if (last && now - last.at < SAMPLE_EVERY_MS && samples.length > 1) return samples;
  const recent = samples.filter((sample, index) => now - sample.at <= WINDOW_MS || index === samples.length - 1);
  return [...recent, { at: now, step }];
}

/** Steps a second over the samples; falls towards zero while nothing more comes. Null before it can be known. */
export function stepsPerSecond(samples: readonly PaceSample[], now: number): number | null {
  const [first] = samples;
  const last = samples.at(-1);
  if (!first || !last || last.at === first.at) return null;
  const quiet = now - last.at > 2 * Math.max(WINDOW_MS, last.at - first.at);
  return (last.step - first.step) / (((quiet ? now : last.at) - first.at) / 1000);
}
