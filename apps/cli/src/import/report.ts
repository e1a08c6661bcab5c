import { printable } from '@evenkeel/protocol';

const PROGRESS_MS = 2_000;

/** Prints a line beside the output of the command. */
export function report(message: string): void {
  console.error(printable(`evenkeel: ${message}`));
}

/** Reports how far an import has come every two seconds; it also keeps the process alive, as emit does not. */
export function reportProgress(describe: () => string): Disposable {
  const timer = setInterval(() => report(describe()), PROGRESS_MS);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
