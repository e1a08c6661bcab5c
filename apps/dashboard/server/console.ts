import { stripVTControlCharacters } from 'node:util';
import type { Log } from '@evenkeel/ingest';

/**
 * Makes the log receive what Next.js prints as an error or a warning, such as the error of a page with all that it holds.
 * @returns what gives the console back
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
