'use client';

import { Button, NativeSelect, SegmentedControl } from '@mantine/core';
import { useQueryStates } from 'nuqs';
import { formatCount } from '../../components/format.ts';
import classes from './charts.module.css';
import { useZoom } from './use-view-params.ts';
import { HALF_LIVES, type StepRange, VIEW_PARAMS } from './view-params.ts';
import { X_UNITS, type XUnit } from './x-axis.ts';

interface Props {
  range: StepRange;
  unit: XUnit;
  /** Whether the run logs the tokens it has seen. */
  hasTokens: boolean;
  halfLife: HalfLife | null;
}

type HalfLife = (typeof HALF_LIVES)[number];

const AXIS_PARAMS = { x: VIEW_PARAMS.x, smooth: VIEW_PARAMS.smooth };

/** What every chart below shows: which steps, spaced by what, smoothed how far. */
export function ChartsToolbar({ range, unit, hasTokens, halfLife }: Props) {
  const [, setAxis] = useQueryStates(AXIS_PARAMS);
  const zoom = useZoom();
  return (
    <div className={classes.toolbar}>
      <Range range={range} onReset={() => zoom(null)} />
      <span className={classes.controls}>
        <UnitSelect name="X axis" unit={unit} hasTokens={hasTokens} onChange={(x) => setAxis({ x })} />
        <SmoothingSelect halfLife={halfLife} onChange={(smooth) => setAxis({ smooth })} />
      </span>
    </div>
  );
}

const UNIT_NAMES = { step: 'Steps', tokens: 'Tokens', time: 'Time' };

interface UnitSelectProps {
  name: string;
  unit: XUnit;
  hasTokens?: boolean;
  onChange: (unit: XUnit) => void;
}

/** What the x axis counts, as the address has it. */
export function UnitSelect({ name, unit, hasTokens = true, onChange }: UnitSelectProps) {
  return (
    <SegmentedControl
      size="xs"
      aria-label={name}
      title={hasTokens ? undefined : 'These steps have no token counts.'}
      data={X_UNITS.map((value) => ({
        value,
        label: UNIT_NAMES[value],
        disabled: value === 'tokens' && !hasTokens,
      }))}
      value={unit}
      onChange={(value) => onChange(value as XUnit)}
    />
  );
}

interface SmoothingSelectProps {
  halfLife: HalfLife | null;
  onChange: (halfLife: HalfLife | null) => void;
}

/** How far curves are smoothed, as the address has it. */
export function SmoothingSelect({ halfLife, onChange }: SmoothingSelectProps) {
  return (
    <NativeSelect
      size="xs"
      aria-label="Smoothing"
      title="An exponentially weighted mean of what is shown, its half-life in steps; it restarts at the left edge. The raw line stays behind it."
      value={halfLife ?? ''}
      onChange={({ currentTarget: { value } }) => onChange(VIEW_PARAMS.smooth.parse(value))}
      data={[
        { value: '', label: 'Not smoothed' },
        ...HALF_LIVES.map((steps) => ({ value: String(steps), label: `Smoothed, ${formatCount(steps)} steps` })),
      ]}
    />
  );
}

function Range({ range: { from, to }, onReset }: { range: StepRange; onReset: () => void }) {
  if (from === undefined && to === undefined) return <span>All steps · drag across a chart to zoom</span>;
  return (
    <>
      <span>
        {from === undefined ? 'The first step' : `Steps ${formatCount(from)}`} to{' '}
        {to === undefined ? 'the newest' : formatCount(to)}
      </span>
      <Button size="compact-xs" variant="default" onClick={onReset}>
        Show all steps
      </Button>
      <span>or double-click a chart</span>
    </>
  );
}
