import { posix } from 'node:path';
import type { FileFormat } from '../format.ts';
import { LevelDbLog } from '../leveldb-log.ts';
import { Losses } from '../losses.ts';
import { partsOf, RecordDecoder } from '../record-decoder.ts';
import { WandbReader } from './record-reader.ts';

const HEAD = [0x3a, 0x57, 0x26, 0x42, 0xe1, 0xbe, 0x00];

/** The `.wandb` files of Weights & Biases, online or offline. A run that was resumed has several. */
export const wandb: FileFormat = {
  name: 'wandb',
  saysEnd: true,
  matches: (path, head) => path.endsWith('.wandb') && HEAD.every((byte, at) => at >= head.length || head[at] === byte),
  runOf(path) {
    const id = posix.basename(path, '.wandb').replace(/^run-/, '');
    return { key: id, name: id };
  },
  decode(from) {
    const losses = new Losses();
    const { records, reader } = partsOf(from);
    return new RecordDecoder(new LevelDbLog(losses, records), new WandbReader(losses, reader), losses);
  },
};
