import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { recordHeader, SpoolReader, type SpoolRecord } from './spool-record.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'evenkeel-spool-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

/** A start, then so many records of ten steps each, whose payloads are their numbers. */
function records(count: number): SpoolRecord[] {
  const start: SpoolRecord = { type: 'start', payload: Buffer.from('{}'), count: 0, before: 0 };
  const steps = Array.from({ length: count }, (_, at): SpoolRecord => {
    return { type: 'steps', payload: Buffer.from(`frame ${at} `.repeat(at + 1)), count: 10, before: 10 * at };
  });
  return [start, ...steps];
}

const bytesOf = (row: readonly SpoolRecord[]) =>
  row.map((record) => Buffer.concat([recordHeader(record), record.payload]));

function readBack(bytes: Buffer) {
  const path = join(folder, 'file');
  writeFileSync(path, bytes);
  const fd = openSync(path, 'r');
  try {
    const reader = new SpoolReader(fd);
    const found: SpoolRecord[] = [];
    for (let record = reader.next(); record; record = reader.next()) found.push(record);
    return { found, lost: reader.lost, damaged: reader.damaged };
  } finally {
    closeSync(fd);
  }
}

test('what is written is read', () => {
  const row = records(20);
  expect(readBack(Buffer.concat(bytesOf(row)))).toEqual({ found: row, lost: 0, damaged: 0 });
});

test('the torn record of a process that was killed is ignored, wherever it is torn', () => {
  const row = records(3);
  const whole = Buffer.concat(bytesOf(row));
  const last = bytesOf(row).at(-1)?.byteLength ?? 0;
  for (let cut = 1; cut <= last; cut++) {
    expect(readBack(whole.subarray(0, whole.byteLength - cut))).toEqual({
      found: row.slice(0, 3),
      lost: 0,
      damaged: 0,
    });
  }
});

test('behind damage in the middle everything is found, and what it cost is counted', () => {
  const row = records(10);
  const encoded = bytesOf(row);
  for (const broken of [3, 4]) encoded[broken]?.fill(0x55, 6, 30); // in the header and the payload
  const { found, lost, damaged } = readBack(Buffer.concat(encoded));
  expect(found).toEqual(row.filter((_, at) => at !== 3 && at !== 4));
  expect(lost).toBe(20);
  expect(damaged).toBe((encoded[3]?.byteLength ?? 0) + (encoded[4]?.byteLength ?? 0));
});

test('whatever byte is changed, only the record that it stands in is lost', () => {
  const row = records(6);
  const encoded = bytesOf(row);
  const whole = Buffer.concat(encoded);
  fc.assert(
    fc.property(fc.nat(whole.byteLength - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const bytes = Buffer.from(whole);
      bytes[at] = (bytes[at] ?? 0) ^ change;
      const ends = encoded.map((_, index) => Buffer.concat(encoded.slice(0, index + 1)).byteLength);
      const hit = ends.findIndex((end) => at < end);
      expect(readBack(bytes).found).toEqual(row.filter((_, index) => index !== hit));
    }),
  );
});

test('a file of anything is read without an error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), (junk) => {
      const row = records(1);
      const bytes = Buffer.concat([Buffer.from(junk), ...bytesOf(row), Buffer.from(junk)]);
      expect(readBack(bytes).found.map(({ type }) => type)).toEqual(['start', 'steps']);
    }),
  );
});
