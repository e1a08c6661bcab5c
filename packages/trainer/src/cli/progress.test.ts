import { expect, test } from 'vitest';
import type { TrainedStep } from '../train.ts';
import { Progress } from './progress.ts';

const step = (at: number): TrainedStep => ({
  ...{ step: at, loss: 2.5, tevMean: 0.0625, tevStd: 0, tevQuantiles: [], lr: 0.01, tokens: (at + 1) * 100 },
  ...{ gradVar: null, layerGradVar: null, gradNorm: 1, lrAhead: 0.01 },
});

/** What is printed of 11 steps of 300 that take a second each. */
function printed(isTTY: boolean): string {
  let text = '';
  let seconds = 0;
  const output = { isTTY, write: (part: string) => (text += part) };
  const progress = new Progress(300, output, () => seconds * 1000);
  for (; seconds < 12; seconds++) progress.show(step(seconds));
  progress.end();
  return text;
}

test('where there is no terminal, a line comes every five seconds, and the last step’s', () => {
  expect(printed(false).split('\n')).toEqual([
    'step 1/300  loss 2.500  TEV 0.0625',
    'step 6/300  loss 2.500  TEV 0.0625  100 tokens/s  4m54s left',
    'step 11/300  loss 2.500  TEV 0.0625  100 tokens/s  4m49s left',
    'step 12/300  loss 2.500  TEV 0.0625  100 tokens/s  4m48s left',
    '',
  ]);
});

test('on a terminal one line is written over', () => {
  const parts = printed(true).split('\r');
  expect(parts).toHaveLength(13);
  expect(parts.at(-1)).toBe('step 12/300  loss 2.500  TEV 0.0625  100 tokens/s  4m48s left\x1b[K\n');
});
