import { stripVTControlCharacters } from 'node:util';
import type { Log } from '@evenkeel/ingest';

/**
 * Sends to the log what Next.js prints as an error or a warning, such as the failure of a page.
 * @returns a function that restores the console
 */
export function redirectConsole(log: Log): () => void {
  const { error, warn } = console;
  console.error = (...printed) => report(log, printed);
  console.warn = (...printed) => report(log, printed);
  return () => Object.assign(console, { error, warn });
}

function report(log: Log, printed: readonly unknown[]): void {
  const error = printed.find((each) => each instanceof Error);
  const texts = printed.filter((each) => typeof each === 'string').map((text) => stripVTControlCharacters(text));
  const words = texts.join(' ').replace(/^[⨯⚠\s]+/, '');
  if (words || error) log('error', words ? `Next.js: ${words}` : 'a page failed', error);
}
