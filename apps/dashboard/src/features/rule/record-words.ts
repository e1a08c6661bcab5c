import { formatCount } from '../../components/format.ts';
import type { AlertRecord } from '../../trpc/client.tsx';
import { isTriable } from './trial-words.ts';

type Counts = [count: number, words: string][];

/** `Of 12 critical alerts 9 came true (8: run diverged, 1: marked true), 2 were false alarms (2: marked), 1 undecided (…)` */
export function recordWords(record: AlertRecord): string {
  const { rule, severity, alerts, diverged, markedTrue, healthy, markedFalse, running, unknown } = record;
  const parts = [
    part('came true', [
      [diverged, 'the run diverged'],
      [markedTrue, 'marked true'],
    ]),
    part('false alarms', [
      [healthy, 'the run finished without diverging'],
      [markedFalse, 'marked'],
    ]),
    part('undecided', [
      [running, 'the run is not over'],
      [unknown, isTriable(rule) ? 'the run did not finish, was rewound, or a command changed it' : 'nobody marked them'],
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
