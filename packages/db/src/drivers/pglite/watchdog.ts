const TICK_MS = 1_000;
/** What a statement may take, in seconds: as long as on PostgreSQL. */
const STATEMENT_SECONDS = 60;
/** What a write of rows may take, in seconds: each is small. */
const WRITE_SECONDS = 20;
/** What opening and migrating may take, in seconds, and what there may be much to do for. */
const LONG_SECONDS = 30 * 60;
/** What any statement may take, in seconds, while the disk is full or soon after the database itself has failed. */
const TROUBLE_SECONDS = 10;
const TROUBLE_MS = 60_000;
const WRITE = /^\s*(insert|update|copy|begin|commit|rollback)\b/i;
const LONG = /^\s*(vacuum|delete|create|alter|drop)\b/i;
/** SQLSTATE classes of the database's own faults: insufficient resources, system error, internal error. */
const OWN_FAULT = /^(53|58|XX)/;

interface WatchdogOptions {
  isDiskFull: () => Promise<boolean>;
  /** Called once, when a statement has taken longer than any does. */
  onStuck: (seconds: number) => void;
}

/**
 * Notices a statement that never returns, as PGlite's do after some failures. It counts its own ticks instead of asking
 * a clock: while the process is suspended, or its event loop stands still, no time passes.
 */
export class Watchdog {
  readonly #options: WatchdogOptions;
  #isOpen = false;
  #statement = '';
  #failedAt = Number.NEGATIVE_INFINITY;
  #ticks = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(options: WatchdogOptions) {
    this.#options = options;
  }

  /** The database is open and migrated: what takes long from now on hangs. */
  opened(): void {
    this.#isOpen = true;
  }

  sent(statement: string): void {
    this.#statement = statement;
    this.#ticks = 0;
    this.#timer ??= setInterval(() => void this.#tick(), TICK_MS).unref();
  }

  /** @param code the SQLSTATE of an error. */
  answered({ isIdle, code }: { isIdle: boolean; code?: unknown }): void {
    if (OWN_FAULT.test(String(code))) this.#failedAt = performance.now();
    this.#ticks = 0;
    if (isIdle) this.stop();
  }

  stop(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#timer = null;
  }

  async #tick(): Promise<void> {
    this.#ticks += 1;
    const ticks = this.#ticks;
    const limit = await this.#limit();
    if (!this.#timer || this.#ticks !== ticks || ticks <= limit) return;
    this.stop();
    this.#options.onStuck(ticks);
  }

  async #limit(): Promise<number> {
    const isTroubled = performance.now() - this.#failedAt < TROUBLE_MS || (await this.#options.isDiskFull());
    if (isTroubled) return TROUBLE_SECONDS;
    if (!this.#isOpen || LONG.test(this.#statement)) return LONG_SECONDS;
    return WRITE.test(this.#statement) ? WRITE_SECONDS : STATEMENT_SECONDS;
  }
}
