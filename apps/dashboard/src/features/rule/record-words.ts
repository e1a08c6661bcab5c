import { formatCount } from '../../components/format.ts';
import type { AlertRecord } from '../../trpc/client.tsx';
import { isTriable } from './trial-words.ts';

type Counts = [count: number, words: string][];

/** `Of 12 critical alerts: 8 came true (the run diverged after them); 1 came when the run had diverged; 3 false alarms (…)` */
export function recordWords(record: AlertRecord): string {
  const { rule, severity, alerts, diverged, markedTrue, late, healthy, markedFalse, running, unknown } = record;
  const parts = [
    part('came true', [
      [diverged, 'the run diverged after them'],
      [markedTrue, 'marked true'],
    ]),
    late === 0 ? null : `${formatCount(late)} came when the run had diverged`,
    part('false alarms', [
      [healthy, 'the run finished without diverging'],
      [markedFalse, 'marked'],
    ]),
    part('undecided', [
      [running, 'the run is not over'],
      [
        unknown,
        isTriable(rule) ? 'the run did not finish, was rewound, or a command changed it' : 'nobody marked them',
      ],
    ]),
  ];
  const noun = alerts === 1 ? 'alert' : 'alerts';
  return `Of ${formatCount(alerts)} ${severity} ${noun}: ${parts.filter((words) => words !== null).join('; ')}.`;
}

/** `9 came true (8: the run diverged, 1: marked true)`; null where there are none. */
function part(what: string, reasons: Counts): string | null {
  const given = reasons.filter(([count]) => count > 0);
  const sum = given.reduce((total, [count]) => total + count, 0);
  if (sum === 0) return null;
  const [only] = given;
  const why =
    given.length === 1 && only ? only[1] : given.map(([count, words]) => `${formatCount(count)}: ${words}`).join(', ');
  return `${formatCount(sum)} ${sum === 1 ? what.replace('alarms', 'alarm') : what} (${why})`;
}
