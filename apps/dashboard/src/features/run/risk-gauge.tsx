import { formatCount, formatExact } from '../../components/format.ts';
import type { RunSummary } from '../../trpc/client.tsx';
import classes from './risk-gauge.module.css';

type Forecast = Pick<RunSummary, 'status' | 'risk' | 'divergenceStep' | 'divergenceInterval' | 'openAlerts'>;

/** The severity of what the forecast has raised: the rules of the run's project say what is too much. */
export function forecastSeverity({ openAlerts }: Pick<Forecast, 'openAlerts'>) {
  return openAlerts.find(({ rule }) => rule === 'tev-growth')?.severity;
}

export function formatRisk(risk: number): string {
  return `${Math.round(risk * 100)} %`;
}

/** How likely the run diverges soon, and where; nothing where there is no forecast. What has ended is past both. */
export function RiskGauge({ run }: { run: Forecast }) {
  if (run.risk === null) return null;
  const runs = run.status === 'running';
  return (
    <span className={classes.gauge} data-severity={runs ? forecastSeverity(run) : 'past'} title={exactly(run)}>
      <span className={classes.bar} aria-hidden="true">
        <span style={{ width: `${run.risk * 100}%` }} />
      </span>
      <span className={classes.risk}>{formatRisk(run.risk)}</span>
      {runs && run.divergenceStep !== null && (
        <span className={classes.step}>
          ≈ <span data-part="word">step </span>
          {formatCount(run.divergenceStep)}
        </span>
      )}
    </span>
  );
}

function exactly({ risk, divergenceStep, divergenceInterval }: Forecast): string {
  const chance = `risk ${formatExact(risk)} of divergence within 100 steps`;
  if (divergenceStep === null) return chance;
  const [from, to] = divergenceInterval ?? [];
  const interval = divergenceInterval ? `; four times of five between ${formatCount(from)} and ${formatCount(to)}` : '';
  return `${chance}; expected at step ${formatCount(divergenceStep)}${interval}`;
}
