import { UNNAMEABLE } from '@evenkeel/protocol';

/**
 * Sets a value under the name that a file gives it. The one name that an assignment loses is set too, so that the protocol
 * refuses it and it is counted.
 */
export function setValue<Value>(values: Record<string, Value>, name: string, value: Value): void {
  if (name !== UNNAMEABLE) values[name] = value;
  else Object.defineProperty(values, name, { value, enumerable: true, writable: true, configurable: true });
}

/** Sets all values of another object, as {@link setValue} does. */
export function setValues<Value>(values: Record<string, Value>, others: Readonly<Record<string, Value>>): void {
  for (const name in others) setValue(values, name, others[name] as Value);
}
