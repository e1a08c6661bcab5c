import { ARRAY_FIELDS, SCALAR_FIELDS, type StepEvent } from '@evenkeel/protocol';

/** Of a step that carries nothing but its number, its time and which fields it has. */
const EMPTY_BYTES = 20;

/** The heap that a step takes in bytes, as measured on Node 20: an object, boxed doubles, arrays of doubles, named scalars. */
export function heapBytes(step: StepEvent): number {
  let bytes = 104;
  for (const { name } of SCALAR_FIELDS) if (step[name] != null) bytes += 24;
  for (const { name } of ARRAY_FIELDS) bytes += step[name] ? 48 + 8 * step[name].length : 0;
  return bytes + 64 * countNames(step);
}

/** The bytes that a step adds to a frame; `names` are those that the frame has listed so far, and gains those of the step. */
export function wireBytes(step: StepEvent, names: Set<string>): number {
  let bytes = bytesWithoutScalars(step);
  if (!step.custom) return bytes;
  for (const name in step.custom) {
    bytes += names.has(name) ? 10 : scalarBytes(name);
    names.add(name);
  }
  return bytes + 2;
}

/**
 * A step as several reports of it, none of which takes more than `maxBytes` in a frame of its own: the server merges
 * them. One that fits stays as it is.
 */
export function splitStep(step: StepEvent, maxBytes: number): StepEvent[] {
  const { custom } = step;
  if (!custom || maxWireBytes(step) <= maxBytes) return [step];
  const { step: number, time } = step;
  let part: Record<string, number> = {};
  const parts: StepEvent[] = [{ ...step, custom: part }];
  let bytes = bytesWithoutScalars(step) + 2;
  for (const name in custom) {
    bytes += scalarBytes(name);
    if (bytes > maxBytes) {
      part = {};
      parts.push({ step: number, time, custom: part });
      bytes = EMPTY_BYTES + 2 + scalarBytes(name);
    }
    part[name] = custom[name] as number;
  }
  return parts;
}

function bytesWithoutScalars(step: StepEvent): number {
  let bytes = EMPTY_BYTES;
  for (const { name } of SCALAR_FIELDS) if (step[name] != null) bytes += 8;
  for (const { name } of ARRAY_FIELDS) bytes += step[name] ? 2 + 4 * step[name].length : 0;
  return bytes;
}

/** No less than a step takes in a frame of its own; found without looking into the names. */
function maxWireBytes(step: StepEvent): number {
  let bytes = bytesWithoutScalars(step) + 2;
  for (const name in step.custom) bytes += 12 + 3 * name.length;
  return bytes;
}

/** Of a custom scalar whose name the frame has not listed yet. */
function scalarBytes(name: string): number {
  return 12 + Buffer.byteLength(name);
}

function countNames({ custom }: StepEvent): number {
  let names = 0;
  for (const _ in custom) names += 1;
  return names;
}
