import { posix } from 'node:path';

/** File names that say what is in the file rather than which run it is of. */
const COMMON =
  /^(metrics?|logs?|history|progress|stats|results?|train(ing)?([-_ ]?(logs?|metrics))?|main|output|std(out|err))$/i;

/** A run a file; a file with a common name, such as `metrics.csv`, is of the run that its folder names. */
export function runOfPath(path: string): { key: string; name: string } {
  const { dir, name } = posix.parse(path);
  const key = COMMON.test(name) ? dir : posix.join(dir, name);
  return { key, name: posix.basename(key) };
}
