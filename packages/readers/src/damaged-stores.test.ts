import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@evenkeel/testing';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { STORE_FORMATS } from './index.ts';
import { readStore, SAMPLES } from './testing.ts';

const CASES = { numRuns: Number(process.env.EVENKEEL_TEST_CASES || 40) };

test.each(['trackio/proj.db', 'neptune/lab_proj/RUN-1_part_0.parquet'])(
  '%s, damaged or cut: it is read or refused with an error, and the process lives',
  async (path) => {
    using folder = temporaryFolder();
    const whole = readFileSync(join(SAMPLES, path));
    const copy = join(folder.path, 'copy');
    const flips = fc.array(fc.record({ at: fc.nat(whole.length - 1), value: fc.nat(255) }), { maxLength: 20 });
    const outcomes = new Set<string>();
    await fc.assert(
      fc.asyncProperty(flips, fc.oneof(fc.constant(whole.length), fc.nat(whole.length)), async (harm, length) => {
        const bytes = Uint8Array.from(whole);
        for (const { at, value } of harm) bytes[at] = value;
        writeFileSync(copy, bytes.subarray(0, length));
        outcomes.add(await outcomeOf(copy));
      }),
      CASES,
    );
    expect([...outcomes].sort()).toEqual(['read', 'refused']);
  },
);

async function outcomeOf(path: string): Promise<'read' | 'refused'> {
  try {
    for (const format of STORE_FORMATS) {
      if (!(await format.matches(path))) continue;
      await readStore(format, path);
      return 'read';
    }
  } catch (error) {
    expect(error).toBeInstanceOf(Error);
  }
  return 'refused';
}
