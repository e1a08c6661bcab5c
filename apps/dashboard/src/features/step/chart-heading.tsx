import type { ReactNode } from 'react';
import { Toggle } from '../shell/toggle.tsx';
import classes from './charts.module.css';

interface Props {
  id: string;
  title: string;
  unit: string | null;
  /** What has a line beside that of the title, if anything. */
  beside?: string | undefined;
  log: boolean;
  onScale: (scale: 'log' | 'linear') => void;
  /** What stands between the title and the button. */
  children: ReactNode;
}

/** A chart's title, what is told of it, and the button that turns its y axis. */
export function ChartHeading({ id, title, unit, beside, log, onScale, children }: Props) {
  return (
    <header className={classes.title}>
      <h2 id={id} title={title}>
        {title}
        {unit && <small>{unit}</small>}
        {beside && <small className={classes.beside}>{beside}</small>}
      </h2>
      {children}
      <Toggle isOn={log} onClick={() => onScale(log ? 'linear' : 'log')} title="Logarithmic axis">
        log
      </Toggle>
    </header>
  );
}
