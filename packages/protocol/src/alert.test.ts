import { expect, test } from 'vitest';
import { alert } from './alert.ts';

test('an alert at a negative step is read: steps may be negative, and so may what a rule looked at', () => {
  const opened = {
    ...{ id: '01890a5d-ac96-774b-bcce-b302099a8057', run: '01890a5d-ac96-774b-bcce-b302099a8058', attempt: 1 },
    ...{ rule: 'non-finite', severity: 'critical', status: 'open', step: -2, window: [-2, -2] },
    ...{ message: 'The loss is NaN.', evidence: {}, risk: null, divergenceStep: null },
    ...{ openedAt: new Date(0), acknowledgedAt: null, resolvedAt: null, note: null, notedBy: null, notedAt: null },
    ...{ feedback: null, feedbackBy: null, feedbackAt: null },
  };
  expect(alert.parse(opened)).toMatchObject({ step: -2, window: [-2, -2] });
});
