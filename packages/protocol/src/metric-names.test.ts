import { expect, test } from 'vitest';
import { claimNames, targetOf } from './metric-names.ts';

test.each([
  ['train/loss', 'loss'],
  ['loss/train', 'loss'],
  ['lm loss', 'loss'],
  ['train_loss', 'loss'],
  ['loss_metrics/global_avg_loss', 'loss'],
  ['train/grad_norm', 'gradNorm'],
  ['grad-norm', 'gradNorm'],
  ['gradNorm', 'gradNorm'],
  ['grad_2.0_norm_total', 'gradNorm'],
  ['learning_rate', 'lr'],
  ['train/learning_rate', 'lr'],
  ['lr-AdamW', 'lr'],
  ['train/num_input_tokens_seen', 'tokens'],
  ['tevMean', 'tevMean'],
  ['eval/loss', 'evalLoss'],
  ['val_loss', 'evalLoss'],
  ['train/epoch', null],
  ['loss_scale', null],
  ['toString', null],
  ['', null],
])('%s stands for %s', (name, target) => {
  expect(targetOf(name)).toBe(target);
});

test('of the names that come together the usual one stands for a field, and it stays', () => {
  expect(claimNames({}, ['train_loss_epoch', 'train_loss_step', 'acc'], {})).toEqual({ loss: 'train_loss_step' });
  expect(claimNames({ loss: 'train_loss_epoch' }, ['loss', 'lr'], {})).toEqual({ loss: 'train_loss_epoch', lr: 'lr' });
  expect(claimNames({ loss: 'loss' }, ['train_loss', 'acc'], {})).toBe(null);
});

test('what a person has decided for a project comes before every guess', () => {
  const project = { loss: null, 'policy/objective': 'loss' } as const;
  expect(claimNames({}, ['loss', 'train/loss', 'policy/objective'], project)).toEqual({ loss: 'policy/objective' });
  expect(claimNames({}, ['loss'], project)).toBe(null);
});
