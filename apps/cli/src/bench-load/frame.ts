const SCALARS = ['loss', 'tevMean', 'tevStd', 'gradVar', 'gradNorm', 'lr', 'tokens'] as const;
/** Seven scalars, and the gradient variance by layer. */
const PRESENCE = 0b1_0111_1111;

export type BenchStep = { step: number; time: number; layerGradVar: readonly number[] } & Record<
  (typeof SCALARS)[number],
  number
>;

/**
 * A step batch of codec version 1, which the builds of every commit read: the newest is unknown to former ones. Every
 * step has all of the fields above and no custom scalar. See the protocol's README, "A step batch".
 */
export function frameOf(run: string, steps: readonly BenchStep[]): Buffer {
  const header = Buffer.alloc(30);
  header.write('EKSB', 'ascii');
  header.writeUInt16LE(1, 4);
  header.writeUInt16LE(steps.length, 6);
  header.write(run.replaceAll('-', ''), 8, 'hex');
  header.writeUInt32LE(1, 24); // attempt
  return Buffer.concat([header, ...steps.map(stepBytes)]);
}

function stepBytes(step: BenchStep): Buffer {
  const bytes = Buffer.alloc(18 + 8 * SCALARS.length + 2 + 4 * step.layerGradVar.length);
  bytes.writeDoubleLE(step.step, 0);
  bytes.writeDoubleLE(step.time, 8);
  let at = bytes.writeUInt16LE(PRESENCE, 16);
  for (const name of SCALARS) at = bytes.writeDoubleLE(step[name], at);
  at = bytes.writeUInt16LE(step.layerGradVar.length, at);
  for (const value of step.layerGradVar) at = bytes.writeFloatLE(value, at);
  return bytes;
}
