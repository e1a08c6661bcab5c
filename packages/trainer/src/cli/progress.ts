import type { TrainedStep } from '../train.ts';

/** Milliseconds between two lines where there is no terminal. */
const LOG_INTERVAL = 5_000;

interface Output {
  isTTY?: boolean;
  write(text: string): unknown;
}

/** Prints the progress of a run: on a terminal in one line that is overwritten, elsewhere a line every few seconds. */
export class Progress {
  private readonly steps: number;
  private readonly output: Output;
  private readonly now: () => number;
  /** The first step, after which the speed is measured: its own duration includes the start of the backend. */
  private first: { tokens: number; time: number } | null = null;
  private printedAt = Number.NEGATIVE_INFINITY;
  private hidden: string | null = null;
  /** The latest: TEV may not be measured at every step. */
  private tevMean: number | null = null;

  constructor(steps: number, output: Output, now: () => number) {
    this.steps = steps;
    this.output = output;
    this.now = now;
  }

  show(step: TrainedStep): void {
    const time = this.now();
    this.first ??= { tokens: step.tokens, time };
    this.tevMean = step.tevMean ?? this.tevMean;
    const line = this.describe(step, (time - this.first.time) / 1000);
    this.hidden = line;
    if (this.output.isTTY) this.output.write(`\r${line}\x1b[K`);
    else if (time - this.printedAt >= LOG_INTERVAL) this.printStep(line, time);
  }

  /** Prints a line that stays. */
  print(line: string): void {
    this.output.write(this.output.isTTY ? `\r${line}\x1b[K\n` : `${line}\n`);
  }

  /** Prints the line of the last step, if it is not there yet. */
  end(): void {
    if (this.output.isTTY) this.output.write('\n');
    else if (this.hidden !== null) this.printStep(this.hidden, this.now());
  }

  private printStep(line: string, time: number): void {
    this.output.write(`${line}\n`);
    this.printedAt = time;
    this.hidden = null;
  }

  private describe({ step, loss, tokens }: TrainedStep, seconds: number): string {
    const parts = [`step ${step + 1}/${this.steps}`, `loss ${loss.toFixed(3)}`];
    if (this.tevMean !== null) parts.push(`TEV ${this.tevMean.toPrecision(3)}`);
    const seen = tokens - (this.first?.tokens ?? 0);
    if (seen === 0 || seconds === 0) return parts.join('  ');
    const tokensPerSecond = seen / seconds;
    const left = ((this.steps - 1 - step) * (tokens / (step + 1))) / tokensPerSecond;
    return [...parts, `${Math.round(tokensPerSecond)} tokens/s`, `${duration(left)} left`].join('  ');
  }
}

/** 3725 → 1h02m */
export function duration(seconds: number): string {
  const pad = (value: number) => String(Math.floor(value)).padStart(2, '0');
  if (seconds < 60) return `${Math.round(seconds)}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${pad(seconds % 60)}s`;
  return `${Math.floor(seconds / 3600)}h${pad((seconds % 3600) / 60)}m`;
}
