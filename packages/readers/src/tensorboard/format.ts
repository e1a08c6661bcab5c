import { posix } from 'node:path';
import type { FileFormat } from '../format.ts';
import { Losses } from '../losses.ts';
import { partsOf, RecordDecoder } from '../record-decoder.ts';
import { EventReader } from './event.ts';
import { EventRecords } from './records.ts';

/** TensorBoard's event files, whoever writes them. A folder is a run, as in TensorBoard. */
export const tensorboard: FileFormat = {
  name: 'tensorboard',
  matches: (path) => posix.basename(path).includes('tfevents'),
  runOf(path) {
    const folder = posix.dirname(path);
    return { key: folder, name: folder };
  },
  decode(from) {
    const losses = new Losses();
    return new RecordDecoder(new EventRecords(losses, partsOf(from).records), new EventReader(losses), losses);
  },
};
