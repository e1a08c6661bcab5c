import { delimited, fixed64, readMessage, varint } from '../protobuf.ts';
import { setValue } from '../set-value.ts';

// Field numbers of tensorboard.hparams.HParamsPluginData, SessionStartInfo and google.protobuf.Value.
const PLUGIN_DATA = { sessionStart: delimited(3) };
const SESSION_START = { hparam: delimited(1) };
const ENTRY = { key: delimited(1), value: delimited(2) };
const VALUE = { number: fixed64(2), text: delimited(3), flag: varint(4) };

/** The hyperparameters that a session began with, by name; none in the other two kinds of this plugin's data. */
export function hyperparameters(content: Uint8Array): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  readMessage(content, (tag, reader) => {
    if (tag !== PLUGIN_DATA.sessionStart) return false;
    readMessage(reader.bytes(), (startTag, start) => {
      if (startTag !== SESSION_START.hparam) return false;
      const [key, value] = readEntry(start.bytes());
      setValue(found, key, value);
      return true;
    });
    return true;
  });
  return found;
}

function readEntry(bytes: Uint8Array): [string, unknown] {
  let key = '';
  let value: unknown = null;
  readMessage(bytes, (tag, reader) => {
    if (tag === ENTRY.key) key = reader.string();
    else if (tag === ENTRY.value) value = readValue(reader.bytes());
    else return false;
    return true;
  });
  return [key, value];
}

function readValue(bytes: Uint8Array): unknown {
  let value: unknown = null;
  readMessage(bytes, (tag, reader) => {
    if (tag === VALUE.number) value = reader.double();
    else if (tag === VALUE.text) value = reader.string();
    else if (tag === VALUE.flag) value = reader.bool();
    else return false;
    return true;
  });
  return value;
}
