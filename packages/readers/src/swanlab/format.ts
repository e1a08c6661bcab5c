import { readFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import type { FileFormat, RunFacts } from '../format.ts';
import { LevelDbLog } from '../leveldb-log.ts';
import { Losses } from '../losses.ts';
import { nonFinite } from '../python-json.ts';
import { partsOf, RecordDecoder } from '../record-decoder.ts';
import { SwanlabReader } from './record-reader.ts';

const HEAD = [0x3a, 0x53, 0x57, 0x4c, 0xd6, 0xe1, 0x02];

/** The `.swanlab` files of SwanLab. */
export const swanlab: FileFormat = {
  name: 'swanlab',
  saysEnd: true,
  matches: (path, head) =>
    path.endsWith('.swanlab') && HEAD.every((byte, at) => at >= head.length || head[at] === byte),
  runOf(path) {
    const id = posix.basename(path, '.swanlab').replace(/^run-/, '');
    return { key: id, name: id };
  },
  factsBeside,
  decode(from) {
    const losses = new Losses();
    return new RecordDecoder(new LevelDbLog(losses, partsOf(from).records), new SwanlabReader(losses), losses);
  },
};

const configFile = z.record(z.string(), z.object({ value: z.unknown() }));

async function factsBeside(path: string): Promise<RunFacts> {
  const text = await readFile(join(dirname(path), 'files', 'config.yaml'), 'utf8').catch(() => null);
  if (text === null) return {};
  const config = configFile.safeParse(parseYaml(text));
  if (!config.success) return {};
  return { config: Object.fromEntries(Object.entries(config.data).map(([key, { value }]) => [key, value])) };
}

/** SwanLab writes NaN as a text; integers stay exact. */
function parseYaml(text: string): unknown {
  try {
    return parse(text, (_, value) => nonFinite(value) ?? value, { intAsBigInt: true, version: '1.1' });
  } catch {
    return null;
  }
}
