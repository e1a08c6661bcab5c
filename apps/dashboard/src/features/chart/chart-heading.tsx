import type { ReactNode } from 'react';
import { Toggle } from '../../components/toggle.tsx';
import classes from './charts.module.css';

interface Props {
  id: string;
  title: string;
  unit: string | null;
  /** What has a line beside that of the title, if anything. */
  beside?: string | undefined;
  /** What the trainer calls it, where that is another name. */
  reportedAs?: string | undefined;
  log: boolean;
  onScale: (scale: 'log' | 'linear') => void;
  /** What stands between the title and the button. */
  children: ReactNode;
}

/** A chart's title, what is said of it, and the button that turns its y axis. */
export function ChartHeading({ id, title, unit, beside, reportedAs, log, onScale, children }: Props) {
  return (
    <header className={classes.title}>
      <h2 id={id} title={title}>
        {title}
        {unit && <small>{unit}</small>}
        {beside && <small className={classes.beside}>{beside}</small>}
      </h2>
      {reportedAs && (
        <small className={classes.reportedAs} title={`reported as ${reportedAs}`}>
          {reportedAs}
        </small>
      )}
      {children}
      <Toggle isOn={log} onClick={() => onScale(log ? 'linear' : 'log')} title="Logarithmic axis">
        log
      </Toggle>
    </header>
  );
}
