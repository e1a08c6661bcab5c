import { InvalidArgumentError } from 'commander';

/** Reads a TCP port from a flag; 0 takes any free one. */
export function readPort(text: string): number {
  const port = Number(text);
  if (/^\d+$/.test(text) && port <= 65_535) return port;
  throw new InvalidArgumentError('Not a port: a whole number from 0 to 65535.');
}
