import { expect, it } from 'vitest';
import { pictureViews } from './picture-views.ts';

const metricsOf = (rule: string) => pictureViews(rule).map(({ metric }) => metric);

it('shows the chart of the signal that the rule marks beside those of every alert', () => {
  expect(metricsOf('attention-collapse')).toEqual(['loss', 'tevMean', 'gradVar', 'attentionLogitMax']);
  expect(metricsOf('update-too-large')).toEqual(['loss', 'tevMean', 'gradVar', 'updateShare']);
  for (const rule of ['loss-spike', 'a-rule-of-another-version'])
    expect(metricsOf(rule)).toEqual(['loss', 'tevMean', 'gradVar']);
});
