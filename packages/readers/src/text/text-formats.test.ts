import fc from 'fast-check';
import { expect, test } from 'vitest';
import { csv } from '../csv/csv.ts';
import type { FileFormat } from '../format.ts';
import { jsonl } from '../jsonl/jsonl.ts';
import { decode, decodeInChunks } from '../testing.ts';
import { textLog } from '../text-log/text-log.ts';
import { trainerState } from '../trainer-state/trainer-state.ts';

const CASES = 2_000;

const FILES: [FileFormat, string][] = [
  [csv, 'step,"a ""b""",time\r\n1,2.5,1764493200\r\n2,"nan",\r\n3,,"x\ny"\r\n'],
  [jsonl, '{"step":1,"loss":NaN,"a":{"b":[1,2]}}\n{"step":2,"loss":-1e-3,"time":"2026-01-01T00:00:00Z"}\n'],
  [
    textLog,
    ' iteration 1/ 9 | lm loss: 7.1E+00 | grad norm: 1.2 |\nstep: 2  loss:  8.1  tps: 1,234\niter 3: loss 4, time 1ms\n',
  ],
  [trainerState, '{"log_history":[{"step":1,"loss":2},{"step":2,"eval_loss":NaN}],"global_step":2}'],
];

/** The bytes of a text, some of them others, or gone. */
const damaged = (text: string) =>
  fc
    .array(fc.tuple(fc.nat(text.length), fc.oneof(fc.nat(255), fc.constantFrom(0x22, 0x0a, 0x2c, 0x7b, 0x7d))), {
      maxLength: 6,
    })
    .map((changes) =>
      changes.reduce(
        (bytes, [at, byte]) => Buffer.concat([bytes.subarray(0, at), Buffer.from([byte]), bytes.subarray(at + 1)]),
        Buffer.from(text),
      ),
    )
    .chain((bytes) => fc.nat(bytes.length).map((length) => bytes.subarray(0, length)));

test.each(FILES)('damaged files of $name never break their reader, and chunks give the same', (format, text) => {
  fc.assert(
    fc.property(damaged(text), fc.integer({ min: 1, max: 40 }), (bytes, chunk) => {
      const { found, position, end } = decode(format, [bytes]);
      expect(position.bytes).toBeLessThanOrEqual(bytes.length);
      const whole = [...found, ...end()];
      const chunks = Array.from({ length: Math.ceil(bytes.length / chunk) }, (_, at) =>
        bytes.subarray(at * chunk, (at + 1) * chunk),
      );
      const parts = decode(format, chunks);
      expect([...parts.found, ...parts.end()]).toEqual(whole);
    }),
    { numRuns: CASES },
  );
});

test.each(FILES)('what is whole in a file of $name that is cut off is read', (format, text) => {
  const whole = decodeInChunks(format, text, text.length);
  expect(whole.filter(({ kind }) => kind === 'row')).not.toEqual([]);
  const last = text.trimEnd().lastIndexOf('\n') + 1;
  const { found } = decode(format, [Buffer.from(text.slice(0, last + 3))]);
  expect(whole.slice(0, found.length)).toEqual(found);
});
