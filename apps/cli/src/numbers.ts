import { InvalidArgumentError } from 'commander';

/** Reads a TCP port from a flag; 0 takes any free one. */
export function readPort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError('Not a port: a whole number from 0 to 65535.');
}

/** Reads a whole number above zero from a flag. */
export function readCount(text: string): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count >= 1) return count;
  throw new InvalidArgumentError('Not a whole number from 1 on.');
}

/** Reads a whole number, zero included, from a flag. */
export function readWhole(text: string): number {
  const number = Number(text);
  if (/^\d+$/.test(text)) return number;
  throw new InvalidArgumentError('Not a whole number from 0 on.');
}
