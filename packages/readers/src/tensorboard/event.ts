import type { BinaryReader } from '@bufbuild/protobuf/wire';
import type { Found } from '../format.ts';
import type { Losses } from '../losses.ts';
import { delimited, fixed32, fixed64, readInt64, readMessage, readNested, varint } from '../protobuf.ts';
import type { RecordReader } from '../record-decoder.ts';
import { setValue, setValues } from '../set-value.ts';
import { hyperparameters } from './hyperparameters.ts';
import { scalarOf } from './tensor.ts';

// Field numbers of tensorflow.Event and tensorflow.Summary, as seen in the files that docs/import.md lists.
const EVENT = { wallTime: fixed64(1), step: varint(2), summary: delimited(5), sessionLog: delimited(7) };
const SUMMARY = { value: delimited(1) };
const VALUE = {
  tag: delimited(1),
  simple: fixed32(2),
  image: delimited(4),
  histogram: delimited(5),
  audio: delimited(6),
  tensor: delimited(8),
  metadata: delimited(9),
};
const METADATA = { pluginData: delimited(1) };
const PLUGIN_DATA = { name: delimited(1), content: delimited(2) };
const SESSION_LOG = { status: varint(1) };
const SESSION_START = 1;

/** Finds scalars and hyperparameters in events. */
export class EventReader implements RecordReader {
  readonly #losses: Losses;

  constructor(losses: Losses) {
    this.#losses = losses;
  }

  read(record: Uint8Array, found: Found[]): void {
    let wallTime = Number.NaN;
    let step = 0;
    let summaryAt: number | null = null;
    const event = readMessage(record, (tag, reader) => {
      if (tag === EVENT.wallTime) wallTime = reader.double();
      else if (tag === EVENT.step) step = readInt64(reader);
      else if (tag === EVENT.sessionLog) this.#readSession(reader, found);
      else {
        if (tag === EVENT.summary) summaryAt = reader.pos; // it is read once the step is known
        return false;
      }
      return true;
    });
    if (summaryAt === null) return;
    event.pos = summaryAt;
    this.#readSummary(event, { step, time: timeOf(wallTime), found });
  }

  #readSession(reader: BinaryReader, found: Found[]): void {
    readNested(reader, (tag) => {
      if (tag !== SESSION_LOG.status) return false;
      if (reader.int32() === SESSION_START) found.push({ kind: 'attempt' });
      return true;
    });
  }

  #readSummary(
    summary: BinaryReader,
    { step, time, found }: { step: number; time: number | null; found: Found[] },
  ): void {
    const values: Record<string, number> = {};
    const config: Record<string, unknown> = {};
    readNested(summary, (tag, reader) => {
      if (tag !== SUMMARY.value) return false;
      const { name, what } = readValue(reader);
      if (typeof what === 'number') setValue(values, name, what);
      else if (typeof what === 'string') this.#losses.add(what, 'only numbers are read');
      else setValues(config, what);
      return true;
    });
    if (!isEmpty(config)) found.push({ kind: 'run', config });
    if (!isEmpty(values)) found.push({ kind: 'row', step, time, values });
  }
}

function isEmpty(object: object): boolean {
  for (const _ in object) return false;
  return true;
}

interface Value {
  name: string;
  /** Its number, hyperparameters, or the kind of what is neither. */
  what: number | string | Record<string, unknown>;
}

function readValue(value: BinaryReader): Value {
  let name = '';
  let simple: number | null = null;
  let tensor: Uint8Array | null = null;
  let plugin: Plugin | null = null;
  let what = 'values of an unknown kind';
  readNested(value, (tag, reader) => {
    if (tag === VALUE.tag) name = reader.string();
    else if (tag === VALUE.simple) simple = reader.float();
    else if (tag === VALUE.tensor) tensor = reader.bytes();
    else if (tag === VALUE.metadata) plugin = readPlugin(reader);
    else if (tag === VALUE.histogram) what = skipped(reader, 'histograms');
    else if (tag === VALUE.image) what = skipped(reader, 'images');
    else if (tag === VALUE.audio) what = skipped(reader, 'audio');
    else return false;
    return true;
  });
  return { name, what: simple ?? meaningOf(plugin, tensor) ?? what };
}

function skipped(reader: BinaryReader, what: string): string {
  reader.bytes();
  return what;
}

interface Plugin {
  name: string;
  content: Uint8Array;
}

/** What a value means that is no simple one; null where that cannot be seen. */
function meaningOf(plugin: Plugin | null, tensor: Uint8Array | null): Value['what'] | null {
  if (plugin?.name === 'hparams') return hyperparameters(plugin.content);
  if (!tensor) return null;
  const scalar = plugin === null || plugin.name === 'scalars' ? scalarOf(tensor) : null;
  return scalar ?? (plugin ? `values of the plugin "${plugin.name}"` : 'tensors');
}

function readPlugin(metadata: BinaryReader): Plugin {
  const plugin: Plugin = { name: '', content: new Uint8Array() };
  readNested(metadata, (tag, reader) => {
    if (tag !== METADATA.pluginData) return false;
    readNested(reader, (dataTag) => {
      if (dataTag === PLUGIN_DATA.name) plugin.name = reader.string();
      else if (dataTag === PLUGIN_DATA.content) plugin.content = reader.bytes();
      else return false;
      return true;
    });
    return true;
  });
  return plugin;
}

/** From seconds. */
function timeOf(wallTime: number): number | null {
  return Number.isFinite(wallTime) ? Math.round(wallTime * 1_000) : null;
}
