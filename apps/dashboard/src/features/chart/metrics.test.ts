import { expect, test } from 'vitest';
import { METRIC_VIEWS, metricViews, reportedNames } from './metrics.ts';

test('a chart has the names under which its trainer reports what it shows, where they are others', () => {
  const names = { loss: 'train/loss', evalLoss: 'val_loss', lr: 'lr', tevStd: 'tev_std' };
  const reported = (known: readonly string[]) =>
    metricViews(known).map((view) => [view.metric, reportedNames(view, names)]);
  const others = METRIC_VIEWS.map(({ metric }) => [metric, undefined]);
  const expected = new Map<unknown, unknown>([...others, ['loss', 'train/loss'], ['tevMean', 'tev_std']] as [
    unknown,
    unknown,
  ][]);
  expect(new Map(reported([]) as [unknown, unknown][])).toEqual(expected);
  expect(new Map(reported(['custom:evalLoss']) as [unknown, unknown][]).get('loss')).toBe('train/loss, val_loss');
  expect(metricViews([]).map((view) => reportedNames(view, {}))).toEqual(METRIC_VIEWS.map(() => undefined));
});
