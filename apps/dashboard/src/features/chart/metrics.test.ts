import { findRule } from '@evenkeel/stability';
import { expect, test } from 'vitest';
import { isAlwaysShown, METRIC_VIEWS, metricViews, reportedNames } from './metrics.ts';

test('a chart has the names under which its trainer reports what it shows, where they are others', () => {
  const names = { loss: 'train/loss', evalLoss: 'val_loss', lr: 'lr', tevStd: 'tev_std' };
  const reported = (known: readonly string[]) =>
    metricViews(known).map((view) => [view.metric, reportedNames(view, names)]);
  const others = METRIC_VIEWS.filter(({ metric }) => isAlwaysShown(metric)).map(({ metric }) => [metric, undefined]);
  const expected = new Map<unknown, unknown>([...others, ['loss', 'train/loss'], ['tevMean', 'tev_std']] as [
    unknown,
    unknown,
  ][]);
  expect(new Map(reported([]) as [unknown, unknown][])).toEqual(expected);
  expect(new Map(reported(['custom:evalLoss']) as [unknown, unknown][]).get('loss')).toBe('train/loss, val_loss');
  expect(metricViews([]).filter((view) => reportedNames(view, {}) !== undefined)).toEqual([]);
});

test('a run has a chart of what not every run reports only where it does', () => {
  const shown = (known: readonly string[]) => metricViews(known).map(({ metric }) => metric);
  const always = ['loss', 'tevMean', 'gradVar', 'gradNorm', 'lr'];
  expect(shown([])).toEqual(always);
  expect(shown(['updateShare'])).toEqual([...always, 'updateShare']);
  expect(shown(['lrAhead'])).toEqual(always); // it is drawn beside the learning rate
});

test('the learning rate has the axis of any other metric, and its plan says for when it is', () => {
  const lr = metricViews(['lrAhead']).find(({ metric }) => metric === 'lr');
  expect(lr?.scale).toBe('auto'); // a warm-up spans decades
  expect(lr?.beside?.name).toBe('in 20 steps');
});

test('the update over the weights has one name, on its chart and in the evidence of its rule', () => {
  const chart = metricViews(['updateShare']).find(({ metric }) => metric === 'updateShare');
  const [evidence] = findRule('update-too-large')?.evidence.updateShare ?? [];
  expect(evidence).toBe('update over weights');
  expect(chart?.title.toLowerCase()).toBe(evidence);
});
